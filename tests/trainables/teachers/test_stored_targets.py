from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spaces import components
from spaces.candidate import Candidate
from spaces.sampling import uniform
from trainables.data import digits
from trainables.final.jobs import FinalJob, network_of, train
from trainables.splits import Splits
from trainables.teachers.stored_targets import StoredTeacher, digest_of

SMALL = {"architecture.resolution": [8], "architecture.depth.0": [1], "architecture.depth.1": [1]}
SPACE = components.load(components.SPACES, "tiny").space().restrict(SMALL)


class Counted(nn.Module):
    """A linear teacher that counts the images it is shown."""

    def __init__(self, classes: int = 12) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.seen = nn.Linear(9, classes), 0

    def forward(self, image_NCHW: Tensor) -> Tensor:
        self.seen += len(image_NCHW)
        scores: Tensor = 4 * self.layer(image_NCHW.flatten(1))
        return scores


def images(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 1, 3, 3, generator=torch.Generator().manual_seed(seed))


def test_all_classes_are_the_teachers_own_distribution(tmp_path: Path) -> None:
    teacher = Counted()
    stored = StoredTeacher(teacher, tmp_path, top_k=12)
    probability_NC = stored(images(50)).softmax(1)
    torch.testing.assert_close(probability_NC, teacher(images(50)).softmax(1), atol=5e-4, rtol=2e-3)


def test_the_rest_of_the_mass_is_spread_evenly(tmp_path: Path) -> None:
    teacher = Counted()
    scores_NC = StoredTeacher(teacher, tmp_path, top_k=3)(images(20)).exp()
    true_NC = teacher(images(20)).softmax(1)
    largest_N3, class_N3 = true_NC.topk(3, dim=1)
    expected_NC = ((1 - largest_N3.sum(1, keepdim=True)) / 9).repeat(1, 12).scatter(1, class_N3, largest_N3)
    torch.testing.assert_close(scores_NC, expected_NC, atol=1e-3, rtol=0)
    torch.testing.assert_close(scores_NC.sum(1), torch.ones(20), atol=1e-3, rtol=0)


def test_a_view_is_asked_for_once_and_its_answer_stays_the_same(tmp_path: Path) -> None:
    teacher = Counted()
    first = StoredTeacher(teacher, tmp_path, top_k=4)
    whole = torch.cat([first(images(30)[:20]), first(images(30)[20:])])
    first.flush()
    again = StoredTeacher(teacher, tmp_path, top_k=4)
    shuffled = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    assert torch.equal(again(images(30)[shuffled]), whole[shuffled])
    assert (again.seen, teacher.seen) == (0, 30)
    mixed = torch.cat([images(5), images(5, seed=9)])  # half of it is new
    assert torch.equal(again(mixed)[:5], whole[:5])
    assert (again.seen, teacher.seen) == (5, 35)


def test_other_weights_or_another_k_have_targets_of_their_own(tmp_path: Path) -> None:
    teacher = Counted()
    digest = digest_of(teacher)
    assert digest == digest_of(Counted())
    StoredTeacher(teacher, tmp_path, top_k=4)(images(2))
    with torch.no_grad():
        teacher.layer.bias[3] += 1e-3
    assert digest_of(teacher) != digest
    one, other = StoredTeacher(teacher, tmp_path, top_k=4), StoredTeacher(teacher, tmp_path, top_k=5)
    for stored in (one, other):
        stored(images(2))
        stored.flush()
    assert len(list(tmp_path.glob("*/*.npy"))) == 2
    assert not list(tmp_path.glob("*/*.tmp"))
    with pytest.raises(ValueError, match="at least 1"):
        StoredTeacher(teacher, tmp_path, top_k=0)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return digits.load()


def candidate(seed: int) -> Candidate:
    return SPACE.decode(uniform(SPACE, 1, np.random.default_rng(seed)))[0]


def test_training_with_stored_targets_is_training_with_the_live_teacher(splits: Splits, tmp_path: Path) -> None:
    teacher = FinalJob(name="teacher", candidate=candidate(1), epochs=1, seed=0)
    list(train(teacher, splits, tmp_path))

    def pupil(name: str, top_k: int | None) -> list[float]:
        job = FinalJob(name=name, candidate=candidate(2), epochs=2, seed=0, teachers=(teacher,), top_k=top_k)
        losses = [report.loss for report in train(job, splits, tmp_path)]
        assert all(parameter.isfinite().all() for parameter in network_of(job, splits, tmp_path).parameters())
        return losses

    live, stored = pupil("live", None), pupil("stored", 10)
    assert stored == pytest.approx(live, rel=5e-3)
    files = sorted((tmp_path / "targets").rglob("*.npy"))
    assert len(files) == 2  # one an epoch
    assert pupil("rerun", 10) == stored  # exactly: the same answers
    assert sorted((tmp_path / "targets").rglob("*.npy")) == files  # and none was asked for again

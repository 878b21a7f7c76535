"""Centred kernel alignment, and layers that are trained towards a guide's."""

from itertools import islice
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from tests.trainables.small import batch, few_labels, loss_of, network, pretrained
from trainables.objectives import guidance
from trainables.objectives.guidance import alignment, matched, unbiased_alignment
from trainables.teachers.named import load_any_teacher
from trainables.training.checkpoint import Checkpoint
from trainables.training.trial import Task, trial

GUIDE = "untrained:test_resnet"


def features(count: int, width: int, seed: int) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("alike", [alignment, unbiased_alignment])
def test_alignment_sees_neither_rotation_nor_scale(alike: torch.nn.Module) -> None:
    own = features(32, 8, 0)
    rotation = torch.linalg.qr(features(8, 8, 1)).Q
    assert float(alike(own, own)) == pytest.approx(1.0, abs=1e-5)
    assert float(alike(own, 3 * own @ rotation)) == pytest.approx(1.0, abs=1e-4)
    assert float(alike(own, features(32, 8, 2))) < 0.5


def test_alignment_is_the_formula_on_centred_features() -> None:
    """|X'Y|^2 over |X'X| |Y'Y|, the norms Frobenius's."""
    one, other = (rows - rows.mean(0) for rows in (features(20, 5, 0).double(), features(20, 7, 1).double()))
    expected = (one.T @ other).norm() ** 2 / ((one.T @ one).norm() * (other.T @ other).norm())
    assert float(alignment(one + 3.0, other)) == pytest.approx(float(expected), rel=1e-9)


def test_the_unbiased_alignment_is_the_formula_by_loops() -> None:
    count = 6
    kernels = [features(count, 3, seed).double() @ features(count, 3, seed).double().T for seed in (0, 1)]

    def hsic(one: torch.Tensor, other: torch.Tensor) -> float:
        pairs = [(i, j) for i in range(count) for j in range(count) if i != j]
        first = sum(one[i, j] * other[i, j] for i, j in pairs)
        both = sum(one[i, j] for i, j in pairs) * sum(other[i, j] for i, j in pairs) / ((count - 1) * (count - 2))
        third = sum(one[i, j] * other[j, k] for i, j in pairs for k in range(count) if k != j)
        return float(first + both - 2 * third / (count - 2)) / (count * (count - 3))

    expected = hsic(*kernels) / (hsic(kernels[0], kernels[0]) * hsic(kernels[1], kernels[1])) ** 0.5
    value = unbiased_alignment(features(count, 3, 0).double(), features(count, 3, 1).double())
    assert float(value) == pytest.approx(expected, rel=1e-9)


def test_independent_features_look_alike_over_few_images_unless_unbiased() -> None:
    pairs = [(features(64, width, seed), features(64, width, 100 + seed)) for width in (256, 8) for seed in range(20)]
    biased = torch.stack([alignment(*pair) for pair in pairs]).unflatten(0, (2, 20)).mean(1)
    assert biased.tolist() == pytest.approx([0.79, 0.11], abs=0.02)
    unbiased = torch.stack([unbiased_alignment(*pair) for pair in pairs]).unflatten(0, (2, 20)).mean(1)
    assert unbiased.abs().max() < 0.05


@pytest.mark.parametrize(
    ("own", "guide", "layers"), [(1, 4, [3]), (2, 5, [0, 4]), (3, 5, [0, 2, 4]), (5, 2, [0, 0, 0, 1, 1])]
)
def test_layers_are_matched_by_relative_depth(own: int, guide: int, layers: list[int]) -> None:
    assert matched(own, guide) == layers


def test_without_weight_it_is_cross_entropy() -> None:
    guide, body = load_any_teacher(GUIDE, few_labels()), network("guidance").eval()
    plain = guidance.objective(body, teacher=guide, distillation_weight=0.0)
    expected = F.cross_entropy(body(batch().image_BCHW), batch().target_BK)
    assert float(loss_of(plain, batch()).detach()) == pytest.approx(float(expected.detach()), rel=1e-6)


def test_a_network_that_is_its_own_guide_has_nothing_to_learn_from_it() -> None:
    body = network("guidance").eval()
    objective = guidance.objective(body, teacher=body, label_weight=1e-9)
    assert float(loss_of(objective, batch()).detach()) == pytest.approx(0.0, abs=1e-5)
    assert objective.watched()["alignment"] == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("knobs", [{"temperature": 2.0}, {"label_weight": 0.0}])
def test_what_features_do_not_have_is_refused(knobs: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="guidance takes temperature 1, a label_weight above 0"):
        guidance.objective(network("guidance"), teacher=network("guidance"), **knobs)


def test_stored_targets_are_refused() -> None:
    with pytest.raises(ValueError, match="guidance compares layers, which stored targets"):
        guidance.objective(network("guidance"), teacher=torch.nn.Linear(1, 1))


def test_a_random_guide_trains_half_of_a_candidate_and_is_not_changed(tmp_path: Path) -> None:
    knobs = {"guidance.teacher": GUIDE, "guidance.distillation_weight": 3.0}
    task = Task(candidate=pretrained("guidance", **knobs), epochs=4, seed=0)
    first = list(islice(trial(task, few_labels(), cache=tmp_path), 1))
    reports = list(trial(task, few_labels(), cache=tmp_path))
    assert reports[0].loss == first[0].loss
    assert reports[1].monitors["alignment"] > reports[0].monitors["alignment"]
    assert reports[2].monitors == {}
    (shared,) = tmp_path.glob("*.pt")
    assert (Checkpoint(path=shared).load() or {})["classifier"]  # which the other half goes on with

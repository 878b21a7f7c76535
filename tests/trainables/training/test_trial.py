from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from spaces import tiny
from spaces.candidate import Candidate
from spaces.sampling import uniform
from tests.processes import elsewhere
from tests.trainables.small import without_time
from trainables.data import digits
from trainables.final.jobs import FinalJob, network_of, train
from trainables.objectives import distillation, supervised
from trainables.plan import Batch
from trainables.splits import Splits
from trainables.stages.precision import resolved
from trainables.training.checkpoint import Checkpoint, CheckpointError
from trainables.training.features import accuracy
from trainables.training.trial import Task, TrialFailed, trained, trial
from trainables.training.world import World

SPACE = tiny.space().restrict(
    {
        "architecture.resolution": [8],
        "architecture.stem_stride": [2],
        "recipe.optimizer.name": ["adamw"],
        "recipe.optimizer.learning_rate.adamw": [
            value
            for value in tiny.space().dimension("recipe.optimizer.learning_rate.adamw").values
            if 2e-3 < value < 9e-3
        ],
    }
)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return digits.load()


def candidate(seed: int = 0) -> Candidate:
    return SPACE.decode(uniform(SPACE, 1, np.random.default_rng(seed)))[0]


def test_training_learns_digits(splits: Splits) -> None:
    reports = list(trial(Task(candidate=candidate(), epochs=5, seed=0), splits))
    assert [report.epoch for report in reports] == [1, 2, 3, 4, 5]
    assert reports[-1].accuracy > 0.5
    assert reports[-1].loss < reports[0].loss


def test_a_resumed_trial_equals_an_undisturbed_one(splits: Splits, tmp_path: Path) -> None:
    averaged = candidate(3)
    averaged = Candidate.from_dict(
        {**averaged.to_dict(), "recipe": {**averaged.recipe, "ema.decay": 0.9, "mixup.alpha": 0.2}}
    )
    task = Task(candidate=averaged, epochs=4, seed=5)
    whole = list(trial(task, splits, checkpoint=Checkpoint(path=tmp_path / "whole.pt")))
    checkpoint = Checkpoint(path=tmp_path / "cut.pt")
    first = list(islice(trial(task, splits, checkpoint=checkpoint), 2))
    torch.rand(100)  # a resumed process has another global generator
    resumed = list(trial(task, splits, checkpoint=checkpoint))
    assert without_time(resumed) == without_time(whole)
    assert without_time(resumed[:2]) == without_time(first)
    last = trained(task, splits, checkpoint)
    assert accuracy(last, splits.validation, world=World(), device=torch.device("cpu")) == whole[-1].accuracy


def test_mixed_precision_trains_float32_weights_and_resumes_exactly(splits: Splits, tmp_path: Path) -> None:
    few = replace(splits, train=splits.train.take(np.arange(256)))
    tasks = {p: Task(candidate=candidate(1), epochs=2, seed=0, precision=p) for p in ("float32", "auto", "bfloat16")}
    curves = {name: without_time(list(trial(task, few))) for name, task in tasks.items()}
    assert curves["auto"] == curves["float32"] != curves["bfloat16"]
    assert curves["bfloat16"][-1][2] == pytest.approx(curves["float32"][-1][2], rel=0.05)
    checkpoint = Checkpoint(path=tmp_path / "cut.pt")
    next(trial(tasks["bfloat16"], few, checkpoint=checkpoint))
    assert without_time(list(trial(tasks["bfloat16"], few, checkpoint=checkpoint))) == curves["bfloat16"]
    last = trained(tasks["bfloat16"], few, checkpoint)
    assert {value.dtype for value in last.state_dict().values()} == {torch.float32, torch.int64}


@pytest.mark.parametrize(("native", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_mixed_precision_is_for_gpus_that_have_it(monkeypatch: pytest.MonkeyPatch, native: bool, expected: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native and not including_emulation)
    assert resolved("auto", torch.device("cuda")) == expected
    assert resolved("auto", torch.device("cpu")) == "float32"


@pytest.mark.slow
def test_the_same_seed_gives_the_same_curve_in_another_process(splits: Splits) -> None:
    task = Task(candidate=candidate(), epochs=1, seed=7)
    assert elsewhere(_curve, task) == [(report.accuracy, report.loss) for report in trial(task, splits)]


def _curve(task: Task) -> list[tuple[float, float]]:
    torch.set_num_threads(1)
    return [(report.accuracy, report.loss) for report in trial(task, digits.load())]


@pytest.mark.nightly
def test_another_seed_gives_another_curve(splits: Splits) -> None:
    losses = {next(trial(Task(candidate=candidate(), epochs=1, seed=seed), splits)).loss for seed in (0, 1)}
    assert len(losses) == 2


def test_a_loss_that_is_not_finite_fails_the_trial(splits: Splits) -> None:
    wild = candidate().to_dict()
    wild["recipe"]["optimizer.learning_rate.adamw"] = 1e30
    with pytest.raises(TrialFailed, match=r"training loss is .* in epoch"):
        list(trial(Task(candidate=Candidate.from_dict(wild), epochs=3, seed=0), splits))


def test_an_unwritable_checkpoint_is_one_sentence(splits: Splits, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(CheckpointError, match="cannot write checkpoint"):
        Checkpoint(path=blocked / "x.pt").save({"a": 1})


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = Checkpoint(path=tmp_path / "x.pt")
    checkpoint.save({"epoch": 1})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CheckpointError, match=r"the disk is full.*No space left on device"):
        checkpoint.save({"epoch": 2})
    assert checkpoint.load() == {"epoch": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["x.pt"]


def test_a_damaged_checkpoint_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="is damaged"):
        Checkpoint(path=tmp_path / "x.pt").load()


def test_a_teacher_teaches(splits: Splits, tmp_path: Path) -> None:
    teacher = FinalJob(name="teacher", candidate=candidate(1), epochs=2, seed=0)
    pupil = FinalJob(name="pupil", candidate=candidate(2), epochs=1, seed=0, teachers=(teacher,))
    assert [len(list(train(job, splits, tmp_path))) for job in (teacher, pupil)] == [2, 1]
    assert not network_of(pupil, splits, tmp_path).training
    alone = FinalJob(name="alone", candidate=candidate(2), epochs=1, seed=0)
    losses = [report.loss for report in train(alone, splits, tmp_path)]
    taught = [report.loss for report in train(pupil, splits, tmp_path)]
    assert losses != taught


def test_distillation_weights_the_papers_two_terms() -> None:
    generator = torch.Generator().manual_seed(0)
    teacher, student = torch.nn.Linear(4, 3), torch.nn.Linear(4, 3)
    image_BF = torch.rand(5, 4, generator=generator)
    batch = Batch(image_BCHW=image_BF, target_BK=torch.eye(3)[[0, 1, 2, 0, 1]])
    with torch.no_grad():
        p_BK = F.softmax(teacher(image_BF) / 2, dim=1)
        q_BK = F.log_softmax(student(image_BF) / 2, dim=1)
        divergence = 4 * (p_BK * (p_BK.log() - q_BK)).sum(1).mean()
        expected = 0.8 * divergence + 0.2 * supervised.objective(student)(batch, generator)
        value = distillation.objective(student, teacher=teacher, temperature=2.0)(batch, generator)
    assert torch.allclose(value, expected, atol=1e-6)

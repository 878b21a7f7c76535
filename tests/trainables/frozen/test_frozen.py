"""Features of bodies that rest: made once, kept, bounded, and the same training as on images."""

import os
import threading
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spaces.candidate import Candidate
from tests.trainables.small import OPTIMIZER, few_labels, without_time
from tests.trainables.weights.small import MODEL, written
from trainables.deploy import Deployable
from trainables.frozen import body, probing
from trainables.frozen.store import ArrayStore, Floats
from trainables.job import Report
from trainables.splits import Splits
from trainables.stages.phases import Task
from trainables.training.checkpoint import Checkpoint
from trainables.training.trial import trial

CANDIDATE = Candidate(
    backbone="timm_model",
    objective="supervised",
    architecture={"name": MODEL, "resolution": 32, f"weights.{MODEL}": "mine"},
    recipe={**OPTIMIZER, "batch.size": 30},
    adaptation={"method": "linear"},
)
AUGMENTED = {"augment.flip": 0.5, "augment.crop": 0.3, "mixup.alpha": 0.2}


@pytest.fixture(name="splits")
def _splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Splits:
    monkeypatch.setenv("NARS_CACHE", str(tmp_path / "cache"))
    digits = few_labels()
    return replace(
        digits,
        train=digits.train.take(np.arange(60)),
        validation=digits.validation.take(np.arange(100)),
        weights={"mine": written(tmp_path)},
        pool=None,
    )


@pytest.fixture(name="seen")
def _seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Images that went through a body, a number a batch."""
    seen: list[int] = []
    features = Deployable.features

    def counted(self: Deployable, image_NCHW: torch.Tensor, **knobs: Any) -> torch.Tensor:
        seen.append(len(image_NCHW))
        return features(self, image_NCHW, **knobs)

    monkeypatch.setattr(Deployable, "features", counted)
    return seen


def task(epochs: int = 3, seed: int = 1, method: str = "linear", **recipe: Any) -> Task:
    changed = replace(CANDIDATE, recipe={**CANDIDATE.recipe, **recipe}, adaptation={"method": method})
    return Task(candidate=changed, epochs=epochs, seed=seed)


def reports(task: Task, splits: Splits) -> list[tuple[int, float, float]]:
    return without_time(list(trial(task, splits)))


def on_images(task: Task, splits: Splits, monkeypatch: pytest.MonkeyPatch) -> list[Report]:
    with monkeypatch.context() as patch:
        patch.setattr(body.RestingBody, "keeps", lambda self, count, classes: False)
        return list(trial(task, splits))


def test_without_augmentation_it_is_training_on_images(splits: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    for method in ("linear", "linear_then_full"):
        own = task(epochs=2, method=method)
        expected = on_images(own, splits, monkeypatch)
        for (_, accuracy, loss), report in zip(reports(own, splits), expected, strict=True):
            assert accuracy == pytest.approx(report.accuracy, abs=0.02)  # rounding may tip two images
            assert loss == pytest.approx(report.loss, rel=1e-3)


def test_a_second_probe_needs_no_pass_of_the_network(splits: Splits, seen: list[int]) -> None:
    reports(task(), splits)
    once = len(splits.train) + len(splits.validation)
    # What standardises them, and a blank one, on which scores and features are compared.
    assert sum(seen) == 60 + once + 1
    seen.clear()
    other = task(seed=2, **{"optimizer.learning_rate.adamw": 0.1, "label_smoothing.rate": 0.0})
    reports(other, splits)
    assert sum(seen) == 1


def test_random_augmentation_is_a_few_passes(splits: Splits, seen: list[int]) -> None:
    """Which trainings with the same augmentation share, whatever their seed and length."""
    reports(task(epochs=body.PASSES + 2, **AUGMENTED), splits)
    kept = body.PASSES * len(splits.train) + len(splits.validation)
    assert sum(seen) == 60 + kept + 1
    seen.clear()
    reports(task(epochs=2, seed=7, **AUGMENTED), splits)
    assert sum(seen) == 1
    reports(task(epochs=1, **{**AUGMENTED, "augment.crop": 0.6}), splits)
    assert sum(seen) == 1 + len(splits.train) + 1


def test_passes_differ_and_come_again(splits: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[Floats] = []
    recorded = body.RestingBody.recorded

    def noted(self: body.RestingBody, *arguments: Any) -> body.Recorded:
        result = recorded(self, *arguments)
        passes.append(np.array(result.row_NC))
        return result

    monkeypatch.setattr(body.RestingBody, "recorded", noted)
    reports(task(epochs=body.PASSES + 1, **AUGMENTED), splits)
    first, *others, again = passes
    assert np.array_equal(first, again)
    for other in others:
        assert not np.array_equal(first, other)
        assert other[:, -10:].sum(1) == pytest.approx(1.0)
    mixed = np.sort(first[:, -10:], axis=1)[:, -2]
    assert (mixed > 0.01).any()  # partners of other classes


@pytest.mark.parametrize("method", ["linear", "linear_then_full"])
def test_it_resumes_to_the_last_bit_whether_or_not_features_are_still_there(
    method: str, splits: Splits, tmp_path: Path
) -> None:
    own = task(epochs=3, method=method, **AUGMENTED, **{"ema.decay": 0.9})
    checkpoint = Checkpoint(path=tmp_path / "x.pt")
    list(islice(trial(own, splits, checkpoint=checkpoint), 1))
    for kept in (tmp_path / "cache" / "features").glob("*.npy"):
        kept.unlink()
    list(islice(trial(own, splits, checkpoint=checkpoint), 2))
    assert without_time(list(trial(own, splits, checkpoint=checkpoint))) == reports(own, splits)


def test_augmentation_that_changes_is_not_kept(splits: Splits, seen: list[int]) -> None:
    growing = task(epochs=2, **{"augment.crop": 0.3, "augment.first": 0.1})
    reports(growing, splits)
    assert seen == [60]  # what standardises them; passes are of the whole network, not of its body alone


def test_what_is_off_does_not_change_the_name() -> None:
    off = {"mixup.alpha": 0.0, "augment.flip": 0.0, "augment.magnitude": 10, "label_smoothing.rate": 0.0}
    assert probing.augmentation_of({**OPTIMIZER, **off}) == {}
    assert probing.augmentation_of({**OPTIMIZER, **off, **AUGMENTED}) == AUGMENTED


def test_two_make_an_array_once(tmp_path: Path) -> None:
    made: list[int] = []
    entered = threading.Event()

    def make() -> Floats:
        made.append(1)
        entered.wait(0.2)
        return np.ones((2, 3), dtype=np.float32)

    arrays: list[Floats] = []
    threads = [
        threading.Thread(target=lambda: arrays.append(ArrayStore(folder=tmp_path).array("ab12", make))) for _ in "12"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
    assert [array.tolist() for array in arrays] == [[[1.0] * 3] * 2] * 2


def test_the_longest_unused_goes_first(tmp_path: Path) -> None:
    array = np.zeros((10, 10), dtype=np.float32)
    store = ArrayStore(folder=tmp_path, bound=1200)  # room for two, with their headers
    assert not store.takes(10, 10)  # larger than a quarter
    mapped = store.array("aa", lambda: array + 1)
    store.array("bb", lambda: array + 2)
    mapped = store.array("aa", lambda: array)
    os.utime(tmp_path / "bb.npy", (1, 1))
    store.array("cc", lambda: array + 3)
    assert sorted(path.stem for path in tmp_path.glob("*.npy")) == ["aa", "cc"]
    for key in ("dd", "ee"):
        store.array(key, lambda: array)
    assert (mapped == 1).all()  # removed, but whoever reads it goes on


def test_damage_and_a_place_that_cannot_be_written_cost_time_only(tmp_path: Path) -> None:
    (tmp_path / "aa.npy").write_bytes(b"half")
    assert ArrayStore(folder=tmp_path).array("aa", lambda: np.ones((1, 1), np.float32)).item() == 1.0
    blocked = tmp_path / "file"
    blocked.touch()
    assert ArrayStore(folder=blocked / "x").array("aa", lambda: np.ones((1, 1), np.float32)).item() == 1.0

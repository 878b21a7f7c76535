"""Photographs kept whole: what is stored, what a step gets of them, and that no process or kill changes it."""

import random
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from timm.data.transforms_factory import transforms_imagenet_train

from spaces.dimensions import Value
from tests.trainables.small import residual
from trainables.batches.randomness import drawn_apart, seed_globals
from trainables.data import decoded, folder
from trainables.data.kept import names_of
from trainables.decoding import decode
from trainables.photographs import Photographs
from trainables.recipe.photo_augment import _Square
from trainables.splits import DataError, Splits
from trainables.stages.phases import Task
from trainables.training.checkpoint import Checkpoint
from trainables.training.loading import Loader, Part
from trainables.training.trial import trial

RECIPE: dict[str, Value] = {
    "optimizer.name": "adamw", "optimizer.learning_rate.adamw": 1e-2, "batch.size": 8,
    "photo_augment.crop": 0.92, "photo_augment.flip": 0.5, "photo_augment.operations": 2, "photo_augment.erase": 0.25,
    "dropout.rate": 0.2,
}  # fmt: skip


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Splits]:
    root = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (root / "photos" / name).mkdir(parents=True)
        for number in range(20):
            small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
            small.resize((64, 48), Image.Resampling.BICUBIC).save(root / "photos" / name / f"{number}.png")
    settings = {"path": str(root / "photos"), "resolution": 16, "crop_pct": 0.875, "split": "drawn"}
    return lambda **keywords: folder.load(**{**settings, "cache": str(root / "cache"), "stored": 40, **keywords})


def test_training_images_keep_their_shape(load: Callable[..., Splits]) -> None:
    splits = load()
    photographs = splits.train.image_NCHW
    assert isinstance(photographs, Photographs)
    assert photographs.whole(0).size == (53, 40)
    assert photographs.shape == (24, 3, 16, 16)
    with Image.open(names_of(splits.train)[0]) as original:
        difference = np.abs(np.asarray(photographs.whole(0), float) - np.asarray(original.resize((53, 40), 3), float))
    assert difference.mean() < 4  # of JPEG


def test_evaluated_images_are_those_of_the_files(load: Callable[..., Splits]) -> None:
    splits, squares = load(), load(stored=0)
    for part, same in ((splits.validation, squares.validation), (splits.test, squares.test)):
        assert names_of(part) == names_of(same)
        np.testing.assert_array_equal(part.label_N, same.label_N)
        for name, pixel_CHW in zip(names_of(part), np.asarray(part.image_NCHW), strict=True):
            np.testing.assert_array_equal(pixel_CHW, decode(Path(name), splits.decoding)[0])


def test_helping_processes_change_no_byte(
    load: Callable[..., Splits], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoded, "ALONE", 3)
    helped, alone = load(cache=str(tmp_path)).train.image_NCHW, load().train.image_NCHW
    assert isinstance(helped, Photographs)
    assert isinstance(alone, Photographs)
    assert helped.content.read_bytes() == alone.content.read_bytes()


@pytest.mark.parametrize("wrong", [{"stored": 4}, {"stored": 10**6}, {"stored": True}, {"crop_pct": 0}])
def test_sides_that_cannot_be(wrong: dict[str, object], load: Callable[..., Splits]) -> None:
    with pytest.raises(DataError, match=rf"data\.{next(iter(wrong))}"):
        load(**wrong)


def outcome(splits: Splits, checkpoint: Checkpoint, loaders: int, stop: int | None = None) -> list[tuple[float, float]]:
    task = Task(candidate=residual(RECIPE), epochs=2, seed=3)
    reports = trial(task, splits, checkpoint=checkpoint, loaders=loaders)
    return [(report.loss, report.accuracy) for report in islice(reports, stop)]


@pytest.mark.slow
def test_neither_processes_nor_a_kill_change_a_training(load: Callable[..., Splits], tmp_path: Path) -> None:
    splits = load()
    alone = outcome(splits, Checkpoint(path=tmp_path / "alone.pt"), 0)
    assert outcome(splits, Checkpoint(path=tmp_path / "two.pt"), 2) == alone
    cut = Checkpoint(path=tmp_path / "cut.pt")
    outcome(splits, cut, 2, stop=1)
    torch.rand(7)
    assert outcome(splits, cut, 0) == alone


def test_reading_leaves_the_global_generators_as_they_were(load: Callable[..., Splits]) -> None:
    square = _Square(0.92, 0.5, "rand-m9-n2-mstd0.5-inc1", 0.4, (0.5, 0.5, 0.5))
    before = (random.getstate(), torch.random.get_rng_state())
    part = Part(seed=1, row_B=np.arange(3), place_B=np.arange(3))
    ((image_BCHW, class_B),) = Loader(load().train, square=square, side=24).epoch([part])
    assert image_BCHW.shape == (3, 3, 24, 24)
    assert (image_BCHW.min() >= 0, image_BCHW.max() <= 1, len(class_B)) == (True, True, 3)
    assert random.getstate() == before[0]
    assert torch.equal(torch.random.get_rng_state(), before[1])


def test_the_transforms_are_timms(load: Callable[..., Splits]) -> None:
    photographs = load().train.image_NCHW
    assert isinstance(photographs, Photographs)
    mean = (0.485, 0.456, 0.406)
    ours = _Square(0.92, 0.5, "rand-m9-n2-mstd0.5-inc1", 0.4, mean)
    theirs = transforms_imagenet_train(
        32, auto_augment="rand-m9-n2-mstd0.5-inc1", color_jitter=0.4, force_color_jitter=True, interpolation="random",
        mean=mean, use_prefetcher=True,
    )  # fmt: skip

    def drawn(transform: Callable[[Image.Image], NDArray[np.uint8]], seed: int) -> NDArray[np.uint8]:
        with drawn_apart():
            seed_globals(seed)
            return transform(photographs.whole(seed % 24))

    for seed in range(20):
        np.testing.assert_array_equal(drawn(lambda image: ours(image, 32), seed), drawn(theirs, seed))


def test_the_largest_magnitude_can_be_drawn(load: Callable[..., Splits]) -> None:
    """Pillow refuses to leave no bit of a channel, as timm's posterizing would at magnitude 10."""
    square = _Square(0.0, 0.0, "rand-m10-n8-mstd0.5-inc1", 0.0, (0.5, 0.5, 0.5))
    ((image_BCHW, _),) = Loader(load().train, square=square, side=16).epoch(
        [Part(seed=0, row_B=np.arange(60) % 24, place_B=np.arange(60))]
    )
    assert image_BCHW.shape == (60, 3, 16, 16)

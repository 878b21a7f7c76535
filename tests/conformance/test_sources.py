"""What every data source on disk must do, on its miniature in ``tests/miniatures``; new files need no edit here."""

import importlib
import importlib.util
from dataclasses import replace
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from search.rehearsal.data_page import data_page
from spaces import components
from spaces.candidate import Candidate
from tests.trainables.small import MOBILE, OPTIMIZER
from trainables.data.sources import defaults_of, load_source
from trainables.splits import DataError, Images, Splits
from trainables.stages.phases import Task
from trainables.training.trial import trial

NAMES = components.names(components.SOURCES)


def module_of(name: str) -> ModuleType:
    return components.load(components.SOURCES, name)


WITH_PATH = [name for name in NAMES if "path" in signature(module_of(name).load).parameters]


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def keywords(name: str, tmp_path: Path) -> dict[str, Any]:
    """Of a small copy of what the source reads."""
    if importlib.util.find_spec(f"tests.miniatures.{name}") is None:
        return {}
    written: dict[str, Any] = importlib.import_module(f"tests.miniatures.{name}").write(tmp_path)
    return written


@pytest.fixture
def splits(name: str, keywords: dict[str, Any]) -> Splits:
    return load_source(name, keywords)


def parts(splits: Splits) -> dict[str, Images]:
    return {"train": splits.train, "validation": splits.validation, "test": splits.test}


def pixels(images: Images) -> Any:
    """All of them in memory."""
    return np.asarray(images.image_NCHW)


def rows(images: Images) -> list[tuple[bytes, int]]:
    return [(image.tobytes(), int(label)) for image, label in zip(pixels(images), images.label_N, strict=True)]


def test_shapes_and_ranges(name: str, keywords: dict[str, Any], splits: Splits) -> None:
    shape = (splits.channels, splits.resolution, splits.resolution)
    frames = {**defaults_of(name), **keywords}.get("frames", 1)
    assert splits.channels in {frames, 3 * frames}
    assert len(splits.mean) == len(splits.std) == splits.channels
    for images in parts(splits).values():
        assert pixels(images).dtype == np.uint8
        assert pixels(images).shape == (len(images), *shape)
        assert images.label_N.dtype == np.int64
        assert set(images.label_N.tolist()) == set(range(len(splits.classes)))
    image_BCHW, label_B = splits.train.batch(np.arange(3))
    assert 0 <= float(image_BCHW.min()) < float(image_BCHW.max()) <= 1
    assert label_B.shape == (3,)


def test_the_scale_is_of_the_training_images_alone(splits: Splits) -> None:
    share_NCHW = pixels(splits.train) / 255.0
    assert splits.mean == pytest.approx(share_NCHW.mean(axis=(0, 2, 3)), abs=1e-5)
    assert splits.std == pytest.approx(share_NCHW.std(axis=(0, 2, 3)), abs=1e-5)


def test_a_page_on_the_data_can_be_written(splits: Splits) -> None:
    assert any(line.startswith("classes: ") for line in data_page(splits, pixels=False))


def test_no_image_is_in_two_parts(splits: Splits) -> None:
    images_of_parts = [{image for image, _ in rows(images)} for images in parts(splits).values()]
    assert len(set.union(*images_of_parts)) == sum(map(len, images_of_parts))


def test_loading_repeats_and_the_seed_decides_the_split(name: str, keywords: dict[str, Any]) -> None:
    first, second = (module_of(name).load(**keywords) for _ in range(2))
    assert [rows(images) for images in parts(first).values()] == [rows(images) for images in parts(second).values()]
    if "split_seed" in signature(module_of(name).load).parameters:
        other = module_of(name).load(**keywords, split_seed=1)
        assert rows(other.train) != rows(first.train)
        assert sum(map(len, parts(other).values())) == sum(map(len, parts(first).values()))


def test_a_share_of_labels_keeps_all_images_for_pretraining(name: str, keywords: dict[str, Any]) -> None:
    whole, few = load_source(name, keywords), load_source(name, {**keywords, "labels": 0.25})
    assert len(few.train) == pytest.approx(0.25 * len(whole.train), abs=1)
    assert set(rows(few.train)) <= set(rows(whole.train))
    assert set(few.train.label_N.tolist()) == set(range(len(whole.classes)))
    assert rows(few.unlabelled) == rows(whole.train)
    assert (rows(few.validation), few.mean, few.std) == (rows(whole.validation), whole.mean, whole.std)


class Sealed(Images):
    """Images that nobody may read."""

    def __getattribute__(self, attribute: str) -> Any:
        raise AssertionError(f"{attribute} of the test split was read")

    def __len__(self) -> int:
        raise AssertionError("the test split was counted")


def test_training_never_reads_the_test_split(splits: Splits) -> None:
    sealed = object.__new__(Sealed)
    with pytest.raises(AssertionError, match="was read"):
        print(sealed.label_N)
    candidate = Candidate(
        backbone="mobile",
        objective="supervised",
        architecture=MOBILE,
        recipe=OPTIMIZER,
        pretraining={"objective": "simclr", "share": 0.5, **OPTIMIZER, "batch.size": 8},
        adaptation={"method": "full"},
    )
    few = replace(splits, train=splits.train.take(np.arange(16)), validation=splits.validation.take(np.arange(8)))
    reports = list(trial(Task(candidate=candidate, epochs=2, seed=0), replace(few, test=sealed)))
    assert [report.epoch for report in reports] == [1, 2]


@pytest.mark.parametrize("name", WITH_PATH)
def test_a_missing_folder_is_one_sentence_that_names_it(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_source(name, {"path": str(tmp_path / "nowhere")})
    assert "nowhere" in str(caught.value)
    assert "\n" not in str(caught.value)

from pathlib import Path

import numpy as np
import pytest

from tests.trainables.data.images import write_images
from trainables.data import digits, folder
from trainables.data.sources import load_source
from trainables.splits import DataError


def test_digits_are_split_without_overlap() -> None:
    splits = digits.load()
    parts = (splits.train, splits.validation, splits.test)
    assert sum(map(len, parts)) == 1797
    assert [set(part.label_N) for part in parts] == [set(range(10))] * 3
    assert (splits.channels, splits.resolution) == (1, 8)
    assert np.array_equal(digits.load().test.image_NCHW, splits.test.image_NCHW)


def test_a_folder_of_any_sizes_and_modes(tmp_path: Path) -> None:
    splits = folder.load(path=str(write_images(tmp_path / "d")), resolution=16, cache=str(tmp_path / "cache"))
    assert splits.classes == ("c0", "c1")
    assert splits.train.image_NCHW.shape[1:] == (3, 16, 16)
    assert sum(map(len, (splits.train, splits.validation, splits.test))) == 20
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 3  # images, labels and fingerprints
    grey = folder.load(path=str(tmp_path / "d"), resolution=16, grey=True, cache=str(tmp_path / "cache"))
    assert grey.channels == 1


def test_a_folder_with_its_own_parts(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        write_images(tmp_path / "d" / part, count=4)
    splits = folder.load(path=str(tmp_path / "d"), resolution=8, cache=str(tmp_path / "cache"))
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [8, 8, 8]


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        folder.load(path=str(tmp_path / "nowhere"))


def test_a_single_class(tmp_path: Path) -> None:
    write_images(tmp_path / "d", classes=1)
    with pytest.raises(DataError, match="1 class folder"):
        folder.load(path=str(tmp_path / "d"), cache=str(tmp_path / "cache"))


def test_a_class_with_too_few_images(tmp_path: Path) -> None:
    write_images(tmp_path / "d", count=1)
    with pytest.raises(DataError, match="has 1 image"):
        folder.load(path=str(tmp_path / "d"), cache=str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("source", "keywords", "message"),
    [("digits", {"sise": 3}, "data.sise is not a keyword of source 'digits'"), ("folder", {}, "needs data.path")],
)
def test_keywords_are_checked(source: str, keywords: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_source(source, keywords)


def test_a_share_of_labels_keeps_all_images_for_pretraining() -> None:
    whole = load_source("digits", {})
    few = load_source("digits", {"labels": 0.1})
    assert len(few.train) == round(0.1 * len(whole.train))
    np.testing.assert_array_equal(few.unlabelled.image_NCHW, whole.train.image_NCHW)
    train_images = {image.tobytes() for image in few.train.image_NCHW}
    assert train_images <= {image.tobytes() for image in whole.train.image_NCHW}
    assert set(few.train.label_N) == set(range(10))
    np.testing.assert_array_equal(few.validation.image_NCHW, whole.validation.image_NCHW)
    assert few.mean == whole.mean
    again = load_source("digits", {"labels": 0.1, "validation": 0.3})  # another call, so drawn anew
    np.testing.assert_array_equal(again.train.image_NCHW, few.train.image_NCHW)


@pytest.mark.parametrize("labels", [0, 1.5, "half"])
def test_a_share_of_labels_that_is_none_is_refused(labels: object) -> None:
    with pytest.raises(DataError, match=r"data.labels is .*share"):
        load_source("digits", {"labels": labels})

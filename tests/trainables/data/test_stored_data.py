"""Sources on disk: shards, Hugging Face data sets, unlabelled folders, and arrays that stay on disk."""

import io
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import datasets
import fsspec
import numpy as np
import pytest
from PIL import Image

from tests.trainables.data.images import write_images
from trainables.data import decoded, folder, huggingface, unlabelled_folder, webdataset
from trainables.data.sources import load_source
from trainables.splits import DataError, Splits
from trainables.stored import Stored

SIDE = 6


def png(number: int) -> bytes:
    """An image that is its number: a lossless square of one grey level."""
    content = io.BytesIO()
    Image.new("L", (SIDE + number % 3, SIDE), number).save(content, "png")
    return content.getvalue()


def shard(path: str, numbers: range, label: str = "cls", key: str = "label") -> None:
    """Image n has class n modulo 2."""
    with fsspec.open(path, "wb") as raw, tarfile.open(fileobj=raw, mode="w|") as tar:
        for number in numbers:
            stated = str(number % 2) if label == "cls" else json.dumps({key: number % 2, "other": "x"})
            for extension, content in (("png", png(number)), (label, stated.encode())):
                member = tarfile.TarInfo(f"a/sample{number:04d}.{extension}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


def shards(root: str, label: str = "cls") -> str:
    for position in range(3):
        shard(f"{root}/train-{position}.tar", range(10 * position, 10 * position + 10), label)
    return f"{root}/train-{{0..2}}.tar"


def content(splits: Splits) -> dict[int, int]:
    """Class by image over all parts."""
    label_of: dict[int, int] = {}
    for part in (splits.train, splits.validation, splits.test):
        levels = [int(image[0, 0, 0]) for image in np.asarray(part.image_NCHW)]
        label_of |= dict(zip(levels, part.label_N.tolist(), strict=True))
    return label_of


EVERY = {number: number % 2 for number in range(30)}


@pytest.mark.parametrize("label", ["cls", "json"])
def test_shards_are_split_and_kept_on_disk(label: str, tmp_path: Path) -> None:
    path, cache = shards(str(tmp_path), label), str(tmp_path / "cache")
    splits = webdataset.load(path=path, resolution=SIDE, grey=True, cache=cache)
    assert content(splits) == EVERY
    assert isinstance(splits.train.image_NCHW, Stored)
    assert splits.train.image_NCHW.image_MCHW is splits.test.image_NCHW.image_MCHW  # type: ignore[union-attr]
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 3  # the shards are joined, and their pieces are gone
    (tmp_path / "train-1.tar").write_bytes(b"x" * 10_240)  # a shard that has changed is read again
    with pytest.raises(DataError, match=r"train-1.tar' cannot be read"):
        webdataset.load(path=path, resolution=SIDE, grey=True, cache=cache)


def test_shards_at_a_uri_with_parts_and_names() -> None:
    shards("memory://bucket")
    shard("memory://bucket/val-0.tar", range(40, 44))
    splits = webdataset.load(
        path="memory://bucket/train-*.tar", validation_path="memory://bucket/val-0.tar", classes=("even", "odd"),
        resolution=SIDE, grey=True, split="drawn",
    )  # fmt: skip
    assert splits.classes == ("even", "odd")
    assert (len(splits.validation), len(splits.test)) == (4, 7)
    assert content(splits) == {**EVERY, **{number: number % 2 for number in range(40, 44)}}


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"path": "nowhere-{0..1}.tar"}, "nowhere-0.tar' cannot be read"),
        ({"path": "none-*.tar"}, "there is no shard"),
        ({"label": "class"}, "has no .cls and no .json with a class number at 'class'"),
        ({"classes": ("even",)}, "has class 1; data.classes has 1 names"),
    ],
)
def test_shards_that_cannot_be_used(keywords: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = shards(str(tmp_path), "json")
    if "path" in keywords:
        path = str(tmp_path / keywords["path"])
    with pytest.raises(DataError, match=message):
        webdataset.load(**{**keywords, "path": path}, resolution=SIDE, cache=str(tmp_path / "cache"))
    assert not list((tmp_path / "cache").glob("*.tmp"))


def test_workers_share_the_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, decodes, decode = shards(str(tmp_path)), [], decoded.read_image

    def counted(source: Any, decoding: Any, make: Any) -> Any:
        decodes.append(source.getvalue())
        return decode(source, decoding, make)

    def load(worker: int) -> dict[int, int]:
        return content(webdataset.load(path=path, resolution=SIDE, grey=True, cache=str(tmp_path / "cache")))

    monkeypatch.setattr(decoded, "read_image", counted)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(load, range(2))) == [EVERY, EVERY]
    assert len(decodes) == len(set(decodes)) == 30


def saved(count: int = 30, **features: Any) -> datasets.Dataset:
    rows = {"image": [{"bytes": png(n), "path": None} for n in range(count)], "label": [n % 2 for n in range(count)]}
    return datasets.Dataset.from_dict(
        rows, features=datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64"), **features})
    )


def test_a_hugging_face_data_set(tmp_path: Path) -> None:
    names = datasets.ClassLabel(names=["even", "odd"])
    saved(label=names).save_to_disk(str(tmp_path / "one"))
    options: dict[str, Any] = {"resolution": SIDE, "grey": True, "cache": str(tmp_path / "cache")}
    splits = huggingface.load(path=str(tmp_path / "one"), **options)
    assert splits.classes == ("even", "odd")
    assert content(splits) == EVERY
    huggingface.load(path=str(tmp_path / "one"), **options)
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 3  # decoded once
    parts = datasets.DatasetDict({"train": saved(20), "test": saved(10)})
    parts.save_to_disk(str(tmp_path / "two"))
    splits = huggingface.load(path=str(tmp_path / "two"), split="drawn", **options)
    assert (splits.classes, len(splits.test), len(splits.validation)) == (("0", "1"), 10, 6)


def test_parquet_files_as_the_hub_has_them(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for part, count in (("train-00000-of-00001", 20), ("test-00000-of-00001", 10)):
        saved(count).to_parquet(str(tmp_path / "data" / f"{part}.parquet"))
    options: dict[str, Any] = {"resolution": SIDE, "grey": True, "cache": str(tmp_path / "cache")}
    splits = huggingface.load(path=str(tmp_path / "data"), split="drawn", **options)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (14, 6, 10)
    assert content(splits) == {number: number % 2 for number in range(20)}


def test_hugging_face_data_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no data set on disk"):
        huggingface.load(path=str(tmp_path / "nowhere"))
    saved().save_to_disk(str(tmp_path / "one"))
    with pytest.raises(DataError, match="has no column 'digit', but image, label"):
        huggingface.load(path=str(tmp_path / "one"), label="digit")


@pytest.mark.parametrize(("source", "package"), [("webdataset", "webdataset"), ("huggingface", "datasets")])
def test_a_missing_package_is_named(source: str, package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def absent(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", absent)
    module = {"webdataset": webdataset, "huggingface": huggingface}[source]
    with pytest.raises(DataError, match=f"needs {package}: pip install {package}"):
        module.load(path=str(tmp_path))


def test_further_images_without_labels_are_pretrained_on(tmp_path: Path) -> None:
    labelled, cache = write_images(tmp_path / "labelled"), str(tmp_path / "cache")
    (tmp_path / "more" / "deep").mkdir(parents=True)
    for number in range(5):
        (tmp_path / "more" / "deep" / f"{number}.png").write_bytes(png(number))
    keywords = {"path": str(labelled), "resolution": SIDE, "cache": cache, "split": "drawn"}
    plain = load_source("folder", keywords)
    wider = load_source("folder", {**keywords, "unlabelled": str(tmp_path / "more"), "labels": 0.5})
    assert len(wider.train) == 6
    assert len(wider.unlabelled) == len(plain.train) + 5
    rows_B = np.array([13, 0, 16, 5])
    image_BCHW, _ = wider.unlabelled.batch(rows_B)
    assert image_BCHW[0].unique().tolist() == pytest.approx([1 / 255])
    assert image_BCHW[2].unique().tolist() == pytest.approx([4 / 255])
    np.testing.assert_array_equal(image_BCHW[[1, 3]].numpy(), plain.train.batch(np.array([0, 5]))[0].numpy())
    source = unlabelled_folder.pictures(plain, path=str(tmp_path / "more"), cache=cache)
    assert (len(source), source.batch(np.arange(2))[0].shape) == (5, (2, 3, SIDE, SIDE))
    with pytest.raises(DataError, match="is not a folder"):
        unlabelled_folder.pictures(plain, path=str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no image"):
        unlabelled_folder.pictures(plain, path=str(tmp_path / "empty"))


def test_arrays_on_disk_equal_arrays_in_memory(tmp_path: Path) -> None:
    splits = folder.load(path=str(write_images(tmp_path / "d")), resolution=SIDE, cache=str(tmp_path / "cache"))
    stored = splits.train.image_NCHW
    assert isinstance(stored, Stored)
    whole = np.asarray(stored)
    rows_B = np.array([3, 1, 1, 0])
    np.testing.assert_array_equal(stored[rows_B], whole[rows_B])
    np.testing.assert_array_equal(stored[2:5], whole[2:5])
    np.testing.assert_array_equal(stored.take(rows_B)[1:], whole[rows_B][1:])
    assert stored.shape == whole.shape == (len(stored), 3, SIDE, SIDE)


@pytest.mark.parametrize("labels", [0.01, 0.1])
def test_few_labels_of_a_source_on_disk(labels: float, tmp_path: Path) -> None:
    """A class without a labelled image is refused by name, in place of training on what is left."""
    path = shards(str(tmp_path))
    cache = str(tmp_path / "cache")
    keywords = {"path": path, "resolution": SIDE, "grey": True, "cache": cache, "labels": labels, "split": "drawn"}
    if labels == 0.01:
        with pytest.raises(DataError, match="cannot split 18 images of 2 classes at 1%"):
            load_source("webdataset", keywords)
        return
    splits = load_source("webdataset", keywords)
    assert sorted(splits.train.label_N.tolist()) == [0, 1]
    assert len(splits.unlabelled) == 18


@pytest.mark.parametrize(("content", "words"), [(b"x" * 100, "truncated header"), (b"", "empty file")])
def test_a_shard_that_is_none_is_told_in_words(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(DataError) as caught:
        webdataset.load(path=str(tmp_path / "a.tar"), resolution=SIDE, cache=str(tmp_path / "cache"))
    assert words in str(caught.value)
    assert "object at" not in str(caught.value)

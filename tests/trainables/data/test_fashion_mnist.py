import gzip
from pathlib import Path

import numpy as np
import pytest

from tests.miniatures.fashion_mnist import idx
from trainables.data import fashion_mnist
from trainables.splits import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sixty training and twenty test images, each filled with its class number; the test part is not compressed."""
    for part, count in (("train", 60), ("t10k", 20)):
        labels = np.arange(count) % 10
        images = np.broadcast_to(labels[:, None, None], (count, 28, 28))
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            file = tmp_path / f"{part}-{name}-ubyte"
            if part == "train":
                file.with_name(file.name + ".gz").write_bytes(gzip.compress(idx(array)))
            else:
                file.write_bytes(idx(array))
    return tmp_path


def test_images_keep_their_labels_in_every_part(folder: Path) -> None:
    splits = fashion_mnist.load(path=str(folder), validation=0.5, train_images=40, test_images=10)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [20, 20, 10]
    for part in (splits.train, splits.validation, splits.test):
        assert part.image_NCHW.shape[1:] == (1, 28, 28)
        np.testing.assert_array_equal(part.image_NCHW[:, 0, 3, 5], part.label_N)
        assert len(set(np.bincount(part.label_N).tolist())) == 1


def test_a_missing_folder_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="install Debian's package dataset-fashion-mnist"):
        fashion_mnist.load(path=str(tmp_path / "nowhere"))


@pytest.mark.parametrize("damage", [b"", b"\0" * 100, b"half"])
def test_a_damaged_file_is_named(folder: Path, damage: bytes) -> None:
    file = folder / "t10k-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-1] if damage == b"half" else damage)
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte' is no whole idx file"):
        fashion_mnist.load(path=str(folder))


@pytest.mark.parametrize("keywords", [{"train_images": 61}, {"test_images": -1}, {"validation": 1.0}])
def test_impossible_sizes(folder: Path, keywords: dict[str, float]) -> None:
    with pytest.raises(DataError, match=next(iter(keywords))):
        fashion_mnist.load(path=str(folder), **keywords)  # type: ignore[arg-type]


@pytest.mark.skipif(not Path(fashion_mnist.DEBIAN).is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_the_published_files() -> None:
    splits = fashion_mnist.load()
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [48_000, 12_000, 10_000]
    assert splits.mean[0] == pytest.approx(0.286, abs=0.003)
    assert np.bincount(splits.test.label_N).tolist() == [1000] * 10

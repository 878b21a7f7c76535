"""Fashion-MNIST (Xiao et al. 2017): 70,000 grey 28x28 images of clothes in ten classes, from its four idx files."""

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.data.splitting import stratified
from trainables.splits import DataError, Images, Splits, from_parts

DEBIAN = "/usr/share/datasets/fashion-mnist"
"""Where the Debian package ``dataset-fashion-mnist`` puts the files."""

CLASSES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
HEADER = {3: (0x803, 16), 1: (0x801, 8)}
"""Magic number and size in bytes of a header, by the number of dimensions."""


def load(
    *,
    path: str = DEBIAN,
    validation: float = 0.2,
    train_images: int = 0,
    test_images: int = 0,
    split_seed: int = 0,
) -> Splits:
    """Read the files and split search-validation off the published training part, which is fixed: drawn by class.

    Args:
        path: folder with ``train-images-idx3-ubyte.gz`` and the other three, or the same without ``.gz``.
        validation: share of the used training images for search-validation.
        train_images: how many of the 60,000 training images are used, classes in proportion; 0 for all.
        test_images: how many of the 10,000 test images are used, classes in proportion; 0 for all.
        split_seed: seed of the choices.

    Raises:
        DataError: the folder lacks a file, or one is not what it should be.
    """
    if not 0 < validation < 1:
        raise DataError(f"data.validation is a share between 0 and 1, given {validation}")
    folder = Path(path).expanduser()
    train = _some(_part(folder, "train"), train_images, split_seed, "train_images")
    test = _some(_part(folder, "t10k"), test_images, split_seed, "test_images")
    rest, split_off = stratified(train, validation, split_seed, CLASSES)
    return from_parts(rest, split_off, test, CLASSES)


def _some(images: Images, count: int, seed: int, keyword: str) -> Images:
    if count == 0 or count == len(images):
        return images
    if not 0 < count < len(images):
        raise DataError(f"data.{keyword} is 0 (all) to {len(images)}, given {count}")
    return stratified(images, count / len(images), seed, CLASSES)[1]


def _part(folder: Path, part: str) -> Images:
    image_NHW = _idx(folder, f"{part}-images-idx3-ubyte", 3)
    label_N = _idx(folder, f"{part}-labels-idx1-ubyte", 1)
    if len(image_NHW) != len(label_N):
        raise DataError(f"'{folder}' has {len(image_NHW)} images and {len(label_N)} labels in part '{part}'")
    return Images(image_NCHW=image_NHW[:, None], label_N=label_N.astype(np.int64))


def _idx(folder: Path, name: str, dimensions: int) -> NDArray[np.uint8]:
    """The array of an idx file: a header of big-endian integers (magic number, then the shape), then the bytes."""
    file = next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)
    if file is None:
        raise DataError(
            f"'{folder}' has no {name}.gz; install Debian's package dataset-fashion-mnist, "
            "or give the folder of the four files as data.path"
        )
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError) as error:
        raise DataError(f"'{file}' cannot be read: {error}; get it again") from error
    magic, size = HEADER[dimensions]
    header = np.frombuffer(content[:size], dtype=">u4") if len(content) >= size else np.zeros(1, dtype=">u4")
    if header[0] != magic or len(content) - size != int(header[1:].prod(dtype=np.int64)):
        raise DataError(f"'{file}' is no whole idx file of {dimensions} dimensions; get it again")
    return np.frombuffer(content, dtype=np.uint8, offset=size).reshape(tuple(header[1:].astype(int)))

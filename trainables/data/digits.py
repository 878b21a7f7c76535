"""Scikit-learn's digits: 1,797 real grey 8x8 images of ten classes, inside the package, so nothing is downloaded."""

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from trainables.data.splitting import stratified
from trainables.splits import DataError, Images, Splits, from_parts

LEVELS = 16
"""The brightest value of the file."""


def load(*, validation: float = 0.3, test: float = 0.2, split_seed: int = 0) -> Splits:
    """Load, and split drawn by class: nobody adds images to those of a package, so every part is met to the image.

    Args:
        validation: share of all images for search-validation.
        test: share of all images for the final figures.
        split_seed: seed of the stratified split.

    Raises:
        DataError: scikit-learn has no such file, or shares that do not leave every class in each part.
    """
    value_ND = _values()
    image_NHW = np.round(value_ND[:, :-1].reshape(-1, 8, 8) * (255.0 / LEVELS)).astype(np.uint8)
    images = Images(image_NCHW=image_NHW[:, None], label_N=value_ND[:, -1].astype(np.int64))
    names = tuple(map(str, range(10)))
    rest, held_out = stratified(images, test, split_seed, names)
    train, held_back = stratified(rest, validation / (1.0 - test), split_seed, names)
    return from_parts(train, held_back, held_out, names)


def _values() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Pixels and, last, the class: (N, 65); read beside scikit-learn, whose import takes longer than its images."""
    package = find_spec("sklearn")
    path = Path(package.origin if package and package.origin else "sklearn").parent / "datasets/data/digits.csv.gz"
    try:
        with gzip.open(path, "rt", encoding="ascii") as lines:
            return np.loadtxt(lines, delimiter=",", ndmin=2)
    except OSError as error:
        raise DataError(
            f"'{path}' of scikit-learn cannot be read ({error.strerror or error}); install it anew"
        ) from None

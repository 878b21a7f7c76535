"""Scikit-learn's digits: 1,797 real grey 8x8 images of ten classes, inside the package, so nothing is downloaded."""

import numpy as np
from sklearn.datasets import load_digits

from trainables.splits import Images, Splits, from_parts, stratified


def load(*, validation: float = 0.3, test: float = 0.2, split_seed: int = 0) -> Splits:
    """Load and split.

    Args:
        validation: share of all images for search-validation.
        test: share of all images for the final figures.
        split_seed: seed of the stratified split.
    """
    digits = load_digits()
    image_NHW = np.round(digits.images * (255.0 / 16.0)).astype(np.uint8)
    images = Images(image_NCHW=image_NHW[:, None], label_N=digits.target.astype(np.int64))
    names = tuple(str(name) for name in digits.target_names)
    rest, held_out = stratified(images, test, split_seed, names)
    train, held_back = stratified(rest, validation / (1.0 - test), split_seed, names)
    return from_parts(train, held_back, held_out, names)

"""Folders of noise, in pictures of several sizes and modes."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_images(root: Path, classes: int = 2, count: int = 10) -> Path:
    rng = np.random.default_rng(0)
    for label in range(classes):
        (root / f"c{label}").mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 256, (9 + number, 12, 3), dtype=np.uint8)
            mode = ("RGB", "L", "RGBA", "P", "1")[number % 5]
            Image.fromarray(pixels).convert(mode).save(root / f"c{label}" / f"{number}.png")
    return root

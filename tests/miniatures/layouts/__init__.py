"""A small copy of what each layout reads, one a file: ``write(root)``. Pictures are noise, so that no two are equal."""

from pathlib import Path

import numpy as np
from PIL import Image


def noise(file: Path, seed: int, size: tuple[int, int] = (10, 12)) -> None:
    """Write a picture of noise, and the folders above it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    level_HWC = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(level_HWC).save(file)

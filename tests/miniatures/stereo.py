"""A scene of noise whose right picture is the left one moved, further in rows that are nearer."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from trainables.data.stereo import DISPARITY, LEFT, RIGHT

HEIGHT, WIDTH, NEAREST = 96, 260, 12


def disparities() -> np.ndarray:
    """Of each row, in pixels: the lower, the nearer."""
    return (np.arange(HEIGHT) * NEAREST // HEIGHT + 1).astype(np.float32)


def write(root: Path) -> dict[str, Any]:
    left_HWC = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    right_HWC = np.stack([np.roll(row, -int(by), axis=0) for row, by in zip(left_HWC, disparities(), strict=True)])
    Image.fromarray(left_HWC).save(root / LEFT)
    Image.fromarray(right_HWC).save(root / RIGHT)
    np.savez(root / DISPARITY, np.repeat(disparities()[:, None], WIDTH, axis=1))
    return {"path": str(root), "tile": 12, "step": 6}

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def write(root: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    for label in range(3):
        (root / "images" / f"c{label}").mkdir(parents=True)
        for number in range(20):
            pixels = rng.integers(0, 256, (9 + number % 3, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "images" / f"c{label}" / f"{number}.png")
    return {"path": str(root / "images"), "resolution": 8, "cache": str(root / "cache")}

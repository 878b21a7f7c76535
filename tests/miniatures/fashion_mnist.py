import gzip
from pathlib import Path
from typing import Any

import numpy as np


def idx(array: np.ndarray) -> bytes:
    magic = {3: 0x803, 1: 0x801}[array.ndim]
    return np.array([magic, *array.shape], dtype=">u4").tobytes() + array.astype(np.uint8).tobytes()


def write(root: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    for part, count in (("train", 200), ("t10k", 40)):
        arrays = {"images-idx3": rng.integers(0, 256, (count, 28, 28)), "labels-idx1": np.arange(count) % 10}
        for name, array in arrays.items():
            (root / f"{part}-{name}-ubyte.gz").write_bytes(gzip.compress(idx(array)))
    return {"path": str(root)}

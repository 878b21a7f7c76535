from pathlib import Path
from typing import Any

import datasets
import numpy as np
from PIL import Image


def write(root: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)) for _ in range(60)]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b", "c"])})
    rows = {"image": images, "label": [number % 3 for number in range(60)]}
    datasets.DatasetDict(train=datasets.Dataset.from_dict(rows, features=features)).save_to_disk(str(root / "saved"))
    return {"path": str(root / "saved"), "resolution": 8, "cache": str(root / "cache")}

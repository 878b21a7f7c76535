"""Keywords of a small set: canvases are made of the digits that scikit-learn has, so nothing is written."""

from pathlib import Path
from typing import Any


def write(root: Path) -> dict[str, Any]:
    del root
    return {"images": 80, "side": 16}

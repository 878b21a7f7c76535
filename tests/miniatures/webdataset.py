import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def write(root: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    with tarfile.open(root / "train-0.tar", "w") as tar:
        for number in range(60):
            image = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(image, "png")
            for extension, content in (("png", image.getvalue()), ("cls", str(number % 3).encode())):
                member = tarfile.TarInfo(f"sample{number:04d}.{extension}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return {"path": str(root / "train-0.tar"), "resolution": 8, "cache": str(root / "cache")}

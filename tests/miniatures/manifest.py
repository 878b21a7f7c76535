from pathlib import Path
from typing import Any

import pandas as pd

from tests.miniatures import folder


def write(root: Path) -> dict[str, Any]:
    """The pictures of the folder's miniature, in a table."""
    keywords = folder.write(root)
    files = sorted(Path(keywords["path"]).rglob("*.png"))
    rows = [{"path": f"{file.parent.name}/{file.name}", "label": file.parent.name, "licence": "cc0"} for file in files]
    pd.DataFrame(rows).to_csv(root / "pictures.csv", index=False)
    return {**keywords, "path": str(root / "pictures.csv"), "images": keywords["path"]}

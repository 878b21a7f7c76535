"""What evaluations said, beside the network that they are of: ``evaluations/NAME.csv`` and its pictures.

These files are no part of what was exported, so that the checksums of a folder do not name them.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from search.family.folder import EVALUATIONS
from search.files import write_text
from spaces import components
from trainables.assess import Assessment
from trainables.stored import write_whole

COLUMNS = ("metric", "part", "value", "low", "high", "count")
"""Of a file; a figure that a network cannot have is empty, and ``part`` says why."""


def file_of(folder: Path, evaluation: str) -> Path:
    """Where the figures of an evaluation are in a network's folder."""
    return folder / EVALUATIONS / f"{evaluation}.csv"


def write_assessment(folder: Path, name: str, assessment: Assessment) -> list[Path]:
    """Keep what an evaluation said of a network in its folder, in place of what it said before; returns the files."""
    figures = file_of(folder, name)
    own = figures.parent
    own.mkdir(exist_ok=True)
    for earlier in own.glob(f"{name}-*.png"):
        earlier.unlink()
    table = pd.DataFrame([asdict(measure) for measure in assessment.measures], columns=list(COLUMNS))
    files = [figures]
    write_text(figures, table.to_csv(index=False))
    for title, image_HWC in assessment.pictures.items():
        files.append(own / f"{name}-{title}.png")
        _write_png(files[-1], image_HWC)
    return files


def _write_png(path: Path, image_HWC: NDArray[np.uint8]) -> None:
    write_whole(path, lambda stream: Image.fromarray(image_HWC).save(stream, format="PNG"))


def read_evaluations(folders: Mapping[str, Path]) -> pd.DataFrame:
    """All figures that are kept in the folders of networks, of evaluations that exist.

    Args:
        folders: by the network's name.

    Returns:
        ``network``, ``evaluation`` and ``COLUMNS``, in the order of the folders and of the names.
    """
    known = components.names(components.EVALUATIONS)
    parts = [
        pd.read_csv(file, keep_default_na=False, na_values={column: [""] for column in ("value", "low", "high")})
        .assign(network=name, evaluation=evaluation)
        for name, folder in folders.items()
        for evaluation in known
        for file in [file_of(folder, evaluation)]
        if file.is_file()
    ]  # fmt: skip
    columns = ["network", "evaluation", *COLUMNS]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)

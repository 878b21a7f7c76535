"""Where the checkpoints of a run are."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CheckpointPlaces:
    """Folders, or URIs that fsspec opens.

    Attributes:
        trials: of the trials.
        final: below which final trainings keep theirs, in ``final``.
    """

    trials: str
    final: str


def checkpoint_places(checkpoints: str | None, folder: Path) -> CheckpointPlaces:
    """Both in the run's folder, or below the place that is configured.

    Args:
        checkpoints: the run's own folder or URI below ``run.checkpoints``; None for the run's folder.
        folder: of the run.
    """
    return CheckpointPlaces(
        trials=(checkpoints or str(folder / "checkpoints")).rstrip("/"), final=checkpoints or str(folder)
    )

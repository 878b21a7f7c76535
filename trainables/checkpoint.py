"""Checkpoints on disk: whole or not there, never half written."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


class CheckpointError(RuntimeError):
    """A checkpoint could not be written or read; the message names the file and the cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One file that always holds the newest whole state.

    Attributes:
        path: the file; its folder is made when first written.
    """

    path: Path

    def save(self, state: dict[str, Any]) -> None:
        """Write to a temporary name, flush to disk, rename.

        Raises:
            CheckpointError: the disk is full or the folder cannot be written.
        """
        partial: Path | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.path.parent, suffix=".tmp", delete=False) as file:
                partial = Path(file.name)
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.path)
        except (OSError, RuntimeError) as error:
            # torch reports a failed write as RuntimeError.
            if partial is not None:
                partial.unlink(missing_ok=True)
            raise CheckpointError(
                f"cannot write checkpoint '{self.path}': {error}; free some space and resume"
            ) from error

    def load(self) -> dict[str, Any] | None:
        """The newest state, or None if nothing has been written. Only tensors and plain values are read.

        Raises:
            CheckpointError: the file exists but is damaged.
        """
        if not self.path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:
            raise CheckpointError(f"checkpoint '{self.path}' is damaged ({error}); delete it and resume") from error
        return state

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)

"""Pretraining with a teacher that the candidate names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trainables.splits import Splits
from trainables.teachers.named import load_any_teacher
from trainables.teachers.stored_targets import StoredTeacher

STORED = 100
"""Class probabilities that are kept of a named teacher for each view, as TinyViT keeps them."""


class NamedTeacher(nn.Module):
    """A teacher from a name; with a folder, of what it has said of each view."""

    def __init__(self, network: nn.Module, targets: Path | None) -> None:
        super().__init__()
        self._network = network if targets is None else StoredTeacher(network, targets, top_k=STORED)

    def forward(self, image_NCHW: torch.Tensor) -> torch.Tensor:
        """Scores, shape (N, classes)."""
        scores_NK: torch.Tensor = self._network(image_NCHW)
        return scores_NK

    def flush(self) -> None:
        """Write what is new, for other trials."""
        if isinstance(self._network, StoredTeacher):
            self._network.flush()


def taught(
    knobs: Mapping[str, Any], splits: Splits, device: torch.device, targets: Path | None, *, compares: str | None
) -> tuple[NamedTeacher | None, Mapping[str, Any]]:
    """The teacher that an objective's knobs name, and the knobs with it as a network; None where nothing is kept of it.

    Args:
        knobs: of the objective.
        splits: the data.
        device: where the teacher runs.
        targets: folder of what teachers have said.
        compares: what of the networks the objective compares; class scores alone are kept.

    Raises:
        TeacherError, WeightsError: it cannot be loaded.
        ValueError: more of its classes are asked for than are kept.
    """
    name, top_k = knobs.get("teacher"), knobs.get("top_k")
    if not isinstance(name, str):
        return None, knobs
    if top_k is not None and top_k > STORED:
        raise ValueError(f"{STORED} class probabilities of a named teacher are kept, so top_k is at most that: {top_k}")
    network = load_any_teacher(name, splits)
    if compares == "features":
        return None, {**knobs, "teacher": network.to(device).eval()}
    teacher = NamedTeacher(network, targets).to(device).eval()
    other = {} if network.scored == len(splits.classes) else {"classes": network.scored}
    return teacher, {**knobs, "teacher": teacher, **other}

"""Pretraining with a teacher that the candidate names."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from trainables.splits import Splits
from trainables.teachers.named import load_any_teacher
from trainables.teachers.stored_targets import StoredTeacher
from trainables.training.phases import Phase

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
    phase: Phase, splits: Splits, device: torch.device, targets: Path | None
) -> tuple[NamedTeacher | None, Phase]:
    """The teacher that a phase names, and the phase with it as a network; None where it names none.

    A teacher with as many classes as the data trains the network's own classifier, which the next phase goes on with.

    Raises:
        TeacherError, WeightsError: it cannot be loaded.
        ValueError: more of its classes are asked for than are kept.
    """
    name, top_k = phase.knobs.get("teacher"), phase.knobs.get("top_k")
    if not isinstance(name, str):
        return None, phase
    if top_k is not None and top_k > STORED:
        raise ValueError(f"{STORED} class probabilities of a named teacher are kept, so top_k is at most that: {top_k}")
    network = load_any_teacher(name, splits)
    teacher = NamedTeacher(network, targets).to(device).eval()
    other = {} if network.scored == len(splits.classes) else {"classes": network.scored}
    return teacher, replace(phase, knobs={**phase.knobs, "teacher": teacher, **other})

"""Whether an objective that compares views still tells images apart."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.objectives._projection import rank_of

LEAST_SPREAD = 0.02
"""Projections below it count as all alike: 1 is that of directions at random."""


class Spread:
    """Of the last batch, before and after the projection, at the end of an epoch."""

    def __init__(self) -> None:
        self._before_BF = self._after_BE = torch.zeros(1, 1)

    def note(self, before_BF: Tensor, after_BE: Tensor) -> None:
        """Features and their projections."""
        self._before_BF, self._after_BE = before_BF.detach(), after_BE.detach()

    def values(self) -> dict[str, float]:
        """``rank_before`` and ``rank_after`` the projection (``rank_of``), and the ``spread`` of the directions.

        The spread is the deviation of projections of length 1 over the batch, times the root of their width: about 1
        for random directions, 0 where all are the same.
        """
        direction_BE = F.normalize(self._after_BE.float(), dim=1)
        spread = direction_BE.std(dim=0, correction=0).mean() * self._after_BE.shape[1] ** 0.5
        return {
            "rank_before": rank_of(self._before_BF),
            "rank_after": rank_of(self._after_BE),
            "spread": float(spread),
        }


def alike(name: str, values: Mapping[str, float]) -> str | None:
    """A sentence if all projections of an objective point the same way."""
    if values["spread"] >= LEAST_SPREAD:
        return None
    return (
        f"{name} collapsed: the projections of all images point the same way (spread {values['spread']:.3f}, 1 is "
        "random); use a smaller learning rate or milder views"
    )

"""Whether an objective that compares views still tells images apart."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.objectives._projection import rank_of

LEAST_SPREAD = 0.02
"""Projections below it count as all alike: 1 is that of directions at random."""
LEAST_INFORMATION = 0.01
"""What prototypes say of images below which nothing was learnt, as a share of what they could say."""


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


class Use:
    """How the prototypes are used in an epoch."""

    def __init__(self, prototypes: int) -> None:
        self._sum_P, self._entropy, self._images = torch.zeros(prototypes), torch.zeros(()), 0

    def note(self, share_NP: Tensor) -> None:
        """Predictions, each with the sum 1."""
        self._sum_P = self._sum_P.to(share_NP.device) + share_NP.sum(dim=0)
        self._entropy = self._entropy.to(share_NP.device) + torch.special.entr(share_NP).sum()
        self._images += len(share_NP)

    def values(self) -> dict[str, float]:
        """Of the epoch so far, which this ends: entropies as shares of that of a uniform prediction.

        ``prototype_entropy`` is that of the mean prediction: 0 where one prototype takes all images. ``image_entropy``
        is the mean of that of each: 1 where no image has a prototype. What they differ by is what prototypes tell.
        """
        images, uniform = max(1, self._images), torch.log(torch.tensor(float(len(self._sum_P))))
        mean_P, entropy = self._sum_P.cpu() / images, self._entropy.cpu() / images
        self._sum_P, self._entropy, self._images = torch.zeros_like(self._sum_P), torch.zeros(()), 0
        return {
            "prototype_entropy": float(torch.special.entr(mean_P).sum() / uniform),
            "image_entropy": float(entropy / uniform),
        }

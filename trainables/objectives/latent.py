"""Latent regression: what a follower makes of each place of an image is predicted from the image with blocks hidden.

It is the part of M3I that maximises the information between a spoilt image and the representation of another view, or
of the same one. No code of it was published; our own reading: hidden blocks are grey, so that every backbone takes
them, and places of two views are the same where they show the same spot.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.maps import map_of
from trainables.objectives._collapse import Spread, alike
from trainables.objectives._corrupting import Corruption
from trainables.objectives._dense import (
    PlaceHead,
    directions_of_places,
    features_of_places,
    mean_at,
    near_pairs,
    rows_of_places,
    seen_by,
)
from trainables.objectives._following import Follower, rising
from trainables.objectives._freezing import freeze_unused
from trainables.objectives._views import Views
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/2211.09807"
LABELS = False
SUPPORTS = ("map", "tokens")
COMPARES = None
SOURCE = "own"
PER_WORKER = "each worker draws what is hidden of its own images"
FIXED_SIDE = False
ON_FEATURES = False
NEEDS = ()
ORDERS = ()
AT_MOST = ()

RATIO = 0.7
"""Share of the diagonal of a cell below which two places are the same, PixPro's."""


def passes(**knobs: object) -> float:
    """One view an image, and the follower's of another, which has no gradients."""
    del knobs
    return 4 / 3


def objective(
    network: Deployable,
    *,
    masked: float = 0.25,
    other: bool = True,
    grid: int = 4,
    momentum: float = 0.9,
    width: int = 64,
    crop: float = 0.6,
    jitter: float = 0.2,
    flip: float = 0.0,
    colour: str = "none",
) -> nn.Module:
    """Mean squared distance of directions of length 1 at the same places, from 0 to 4; 2 for unrelated ones.

    Args:
        network: whose last map is trained; what is above it is frozen.
        masked: share of the blocks that are hidden from the network, not from the follower.
        other: whether the follower sees another view; else the same one, whole.
        grid: blocks to a side.
        momentum: of the follower at the start; it rises to 1.
        width: of the heads.
        crop, jitter, flip, colour: of the views, see ``trainables.objectives._views``.

    Raises:
        ValueError: a value out of range.
    """
    if not 0 <= masked < 1 or grid < 2 or not 0 <= momentum <= 1:
        raise ValueError(
            "latent: masked is in [0, 1), grid at least 2 and momentum from 0 to 1, given "
            f"{masked}, {grid} and {momentum}"
        )
    views = Views(crop=crop, jitter=jitter, flip=flip, colour=colour)
    return _Latent(network, views, Corruption(dropped=masked, grid=grid), other=other, momentum=momentum, width=width)


class _Latent(nn.Module):
    def __init__(
        self, network: Deployable, views: Views, hiding: Corruption, *, other: bool, momentum: float, width: int
    ) -> None:
        super().__init__()
        self.network = network
        freeze_unused(network, network.features)
        # Normalised as in PixPro: else all places soon share most of one direction, which says nothing of the image.
        self.projection = PlaceHead(features_of_places(network), width, width, norm=True)
        self.prediction = PlaceHead(width, width, width)
        self.follower = Follower(network, self.projection)
        self._views, self._hiding, self._other, self._momentum = views, hiding, other, momentum
        self._spread = Spread()

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images."""
        image, placed_B23 = self._views.placed(batch.image_BCHW, generator, number=0)
        whole, whole_B23 = (
            self._views.placed(batch.image_BCHW, generator, number=1) if self._other else (image, placed_B23)
        )
        hidden, _ = self._hiding.of(image, self.network, generator)
        features_BGHW = map_of(self.network, hidden)
        own_BEN = F.normalize(self.prediction(self.projection(features_BGHW)).flatten(2), dim=1)
        target_BEN = self._followed(whole, batch.progress)
        side = features_BGHW.shape[-1]
        one_B23, other_B23 = (seen_by(self.network, placed, image.shape[-1]) for placed in (placed_B23, whole_B23))
        near_BNN = near_pairs(one_B23, other_B23, side, RATIO)
        if self.training:
            self._spread.note(rows_of_places(features_BGHW.flatten(2)), rows_of_places(own_BEN))
        distance: Tensor = 2 * near_BNN.any(dim=(1, 2)).float().mean() - 2 * mean_at(own_BEN, target_BEN, near_BNN)
        return distance

    @torch.no_grad()
    def _followed(self, image_BCHW: Tensor, progress: float) -> Tensor:
        if self.training:
            self.follower.follow(self.network, self.projection, momentum=rising(self._momentum, progress))
        network, projection = self.follower.copies
        assert isinstance(network, Deployable)
        features = network.features(image_BCHW, side=self.network.training_side if self.training else None)
        return directions_of_places(network, projection, features)

    def watched(self) -> dict[str, float]:
        """Of the places of the last batch: ranks before and after the heads, and the spread."""
        return self._spread.values()

    def trouble(self, values: Mapping[str, float]) -> str | None:
        """That all places are alike, if so."""
        return alike("latent", values)

"""PixPro: places of two views that show the same spot agree, after each was smoothed by what resembles it."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.maps import as_map, prefix_tokens
from trainables.objectives._collapse import Spread, alike
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
from trainables.objectives._projection import Projection
from trainables.objectives._views import Views
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/2011.10043"
LABELS = False
SUPPORTS = ("map", "tokens")
COMPARES = None
SOURCE = "own"
PER_WORKER = None
FIXED_SIDE = False
ON_FEATURES = False
NEEDS = ()
ORDERS = ()
AT_MOST = ()


def passes(**knobs: object) -> float:
    """Two views an image, and the follower's two passes without gradients."""
    del knobs
    return 2.0 + 2 / 3


def objective(
    network: Deployable,
    *,
    ratio: float = 0.7,
    power: float = 2.0,
    instance: float = 0.0,
    width: int = 64,
    momentum: float = 0.99,
    crop: float = 0.3,
    jitter: float = 0.4,
    flip: float = 0.0,
    colour: str = "none",
) -> nn.Module:
    """Minus 2 times the mean cosine of near places, each way: -4 at best; and ``instance`` times that of pooled ones.

    Args:
        network: whose last map is trained; what is above it is frozen unless ``instance`` is above 0.
        ratio: places are the same that are nearer than this share of a cell's diagonal.
        power: of the cosines that a place is smoothed by.
        instance: weight of the cosine, times -2 and both ways, of pooled views, which is BYOL's.
        width: of the heads.
        momentum: of the follower at the start; it rises to 1.
        crop, jitter, flip, colour: of the views, see ``trainables.objectives._views``.

    Raises:
        ValueError: a value out of range.
    """
    if not ratio > 0 or not power > 0 or instance < 0 or not 0 <= momentum <= 1:
        raise ValueError(
            "pixpro: ratio and power are above 0, instance is at least 0 and momentum from 0 to 1, given "
            f"{ratio}, {power}, {instance} and {momentum}"
        )
    views = Views(crop=crop, jitter=jitter, flip=flip, colour=colour)
    return _PixPro(network, views, ratio=ratio, power=power, instance=instance, width=width, momentum=momentum)


def smoothed(projected_BEN: Tensor, value_BEN: Tensor, power: float) -> Tensor:
    """Each place as the sum of all values, weighted by their cosines with it where above 0, to a power (equation 3)."""
    direction_BEN = F.normalize(projected_BEN, dim=1)
    weight_BNN = (direction_BEN.transpose(1, 2) @ direction_BEN).clamp_min(0) ** power
    return value_BEN @ weight_BNN


class _PixPro(nn.Module):
    def __init__(
        self,
        network: Deployable,
        views: Views,
        *,
        ratio: float,
        power: float,
        instance: float,
        width: int,
        momentum: float,
    ) -> None:
        super().__init__()
        self.network = network
        freeze_unused(network, network.pooled if instance else network.features)
        self.projection = PlaceHead(features_of_places(network), width, width, norm=True)
        self.value = nn.Conv2d(width, width, 1)
        led: list[nn.Module] = [network, self.projection]
        if instance:
            self.pooled = Projection(network.width, width=width, layers=2, kappa=1.0, norm=True)
            self.prediction = Projection(self.pooled.outputs, width=width, layers=2, kappa=1.0, norm=False)
            led.append(self.pooled)
        self.follower = Follower(*led)
        self._views, self._ratio, self._power = views, ratio, power
        self._instance, self._momentum = instance, momentum
        self._spread = Spread()

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images."""
        if self.training:
            self.follower.follow(*self._led(), momentum=rising(self._momentum, batch.progress))
        views = [self._views.placed(batch.image_BCHW, generator, number=number) for number in range(2)]
        both, count = torch.cat([image for image, _ in views]), len(batch.image_BCHW)
        features = self.network.features(both)
        map_NGHW = as_map(features, prefix_tokens(self.network))
        own_NEHW = self.projection(map_NGHW)
        value_NEN = F.normalize(self.value(own_NEHW).flatten(2), dim=1)
        own_NEN = F.normalize(smoothed(own_NEHW.flatten(2), value_NEN, self._power), dim=1)
        with torch.no_grad():
            followed, followed_NEN = self._followed(both)
        one_B23, other_B23 = (seen_by(self.network, placed, both.shape[-1]) for _, placed in views)
        near_BNN = near_pairs(one_B23, other_B23, own_NEHW.shape[-1], self._ratio)
        loss = -2 * mean_at(own_NEN[:count], followed_NEN[count:], near_BNN)
        loss = loss - 2 * mean_at(own_NEN[count:], followed_NEN[:count], near_BNN.transpose(1, 2))
        if self.training:
            self._spread.note(rows_of_places(map_NGHW[:count].flatten(2)), rows_of_places(own_NEN[:count]))
        return loss + self._instance * self._of_pooled(features, followed, count) if self._instance else loss

    def _led(self) -> list[nn.Module]:
        return [self.network, self.projection, *([self.pooled] if self._instance else [])]

    def _followed(self, image_NCHW: Tensor) -> tuple[Tensor, Tensor]:
        """The follower's features, and its directions by place."""
        network, projection = self.follower.copies[0], self.follower.copies[1]
        assert isinstance(network, Deployable)
        features = network.features(image_NCHW, side=self.network.training_side)
        return features, directions_of_places(network, projection, features)

    def _of_pooled(self, features: Tensor, followed: Tensor, count: int) -> Tensor:
        """Minus 2 times the cosine of a view's prediction and the other view's follower, both ways."""
        own_NE = F.normalize(self.prediction(self.pooled(self.network.pooled_from(features))))
        network, head = self.follower.copies[0], self.follower.copies[2]
        assert isinstance(network, Deployable)
        with torch.no_grad():
            key_NE = F.normalize(head(network.pooled_from(followed)))
        return -4 * (own_NE * key_NE.roll(count, dims=0)).sum(dim=1).mean()

    def watched(self) -> dict[str, float]:
        """Of the places of the last batch: ranks before and after the head, and its spread."""
        return self._spread.values()

    def trouble(self, values: Mapping[str, float]) -> str | None:
        """That all places are alike, if so."""
        return alike("pixpro", values)

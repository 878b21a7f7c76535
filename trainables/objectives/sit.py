"""SiT: a corrupted view is painted whole again, and agrees with what a follower makes of the other view."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.deploy import Deployable, evaluating
from trainables.maps import as_map, prefix_tokens, side_of
from trainables.objectives._collapse import Spread, alike
from trainables.objectives._corrupting import Corruption
from trainables.objectives._dense import features_of_places
from trainables.objectives._error_over_mean import ErrorOverMean
from trainables.objectives._following import Follower, rising
from trainables.objectives._freezing import freeze_unused
from trainables.objectives._projection import Projection
from trainables.objectives._views import Views
from trainables.objectives.simclr import among_all
from trainables.objectives.simmim import masked_error, visible_mean
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/2104.03602"
LABELS = False
SUPPORTS = ("map", "tokens")
COMPARES = None
SOURCE = "own"
PER_WORKER = "each worker draws what is corrupted of its own images"
FIXED_SIDE = True
ON_FEATURES = False
NEEDS = ()
ORDERS = ()
AT_MOST = ()

FILLINGS = ("noise", "grey")


def passes(*, contrast: float = 1.0, **knobs: object) -> float:
    """Two views an image, and with contrast the follower's two passes without gradients; the painter is not counted."""
    del knobs
    return 2.0 + 2 / 3 if contrast else 2.0


def objective(
    network: Deployable,
    *,
    pixels: float = 1.0,
    contrast: float = 1.0,
    dropped: float = 0.2,
    replaced: float = 0.0,
    filling: str = "grey",
    aligned: bool = True,
    grid: int = 4,
    temperature: float = 0.2,
    momentum: float = 0.9,
    width: int = 64,
    crop: float = 0.6,
    jitter: float = 0.2,
    flip: float = 0.0,
    colour: str = "none",
) -> nn.Module:
    """``pixels`` times the mean absolute error where a view was corrupted, and ``contrast`` times MoCo v3's loss.

    The paper corrupts rectangles of random sizes; here blocks of a grid, since small images have no room for more.

    Args:
        network: whose features are trained; its classifier is frozen. A weight of 0 leaves its part out.
        pixels, contrast: weights.
        dropped, replaced: shares of the blocks that are filled, and that show another image of the batch. The paper has
            0.5 and 0.3, at which a small network learnt nothing of small images in a short training: the image that a
            block shows is one that the contrast calls a wrong one.
        filling: of dropped blocks: ``noise``, the paper's, or ``grey``, the mean of all images.
        aligned: whether a block of another image is from the same place.
        grid: blocks to a side.
        temperature: divides the cosines; the loss is multiplied by it and by 2.
        momentum: of the follower at the start; it rises to 1. The paper has 0.996, for long schedules.
        width: of projection and prediction.
        crop, jitter, flip, colour: of the views, see ``trainables.objectives._views``.

    Raises:
        ValueError: a value out of range.
    """
    if min(pixels, contrast, dropped, replaced) < 0 or pixels + contrast == 0 or dropped + replaced > 1:
        raise ValueError(
            "sit: weights are at least 0 and one above it, dropped and replaced are shares of at most 1 together, "
            f"given pixels {pixels}, contrast {contrast}, dropped {dropped} and replaced {replaced}"
        )
    if filling not in FILLINGS or grid < 2 or not temperature > 0 or not 0 <= momentum <= 1:
        raise ValueError(
            f"sit: filling is {' or '.join(FILLINGS)}, grid at least 2, temperature above 0 and momentum from 0 to 1, "
            f"given {filling}, {grid}, {temperature} and {momentum}"
        )
    corruption = Corruption(dropped=dropped, replaced=replaced, noisy=filling == "noise", aligned=aligned, grid=grid)
    if pixels and not corruption.units:
        raise ValueError(
            f"sit: dropped {dropped} and replaced {replaced} spoil none of {grid**2} blocks, so that there is nothing "
            "to paint; raise one, or set pixels to 0"
        )
    return _SiT(
        network,
        Views(crop=crop, jitter=jitter, flip=flip, colour=colour),
        corruption,
        weights=(pixels, contrast),
        temperature=temperature,
        momentum=momentum,
        width=width,
    )


class _SiT(nn.Module):
    def __init__(
        self,
        network: Deployable,
        views: Views,
        corruption: Corruption,
        *,
        weights: tuple[float, float],
        temperature: float,
        momentum: float,
        width: int,
    ) -> None:
        super().__init__()
        self.network = network
        self._pixels, self._contrast = weights
        freeze_unused(network, network.pooled if self._contrast else network.features)
        with torch.no_grad(), evaluating(network):
            side = side_of(network.features(network.blank()), prefix_tokens(network))
        self._scale = -(-network.resolution // side)
        if self._pixels:
            channels = network.blank().shape[1]
            self.painter = nn.Conv2d(features_of_places(network), self._scale**2 * channels, 1)
        if self._contrast:
            self.projection = Projection(network.width, width=width, layers=2, kappa=1.0, norm=True)
            self.prediction = Projection(self.projection.outputs, width=width, layers=2, kappa=1.0, norm=False)
            self.follower = Follower(network, self.projection)
        self._views, self._corruption, self._temperature, self._momentum = views, corruption, temperature, momentum
        self._spread, self._errors = Spread(), ErrorOverMean()

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images."""
        clean = [self._views.of(batch.image_BCHW, generator, number=number) for number in range(2)]
        spoilt = [self._corruption.of(image, self.network, generator) for image in clean]
        features = self.network.features(torch.cat([image for image, _ in spoilt]))
        losses = []
        if self._pixels:
            losses.append(self._pixels * self._painted(features, torch.cat(clean), torch.cat([w for _, w in spoilt])))
        if self._contrast:
            losses.append(self._contrast * self._agreed(features, clean, batch.progress))
        return torch.stack(losses).sum()

    def _painted(self, features: Tensor, clean_NCHW: Tensor, where_N1HW: Tensor) -> Tensor:
        """Mean absolute error of normalised pixels where images were spoilt."""
        target_NCHW = self.network.prepared(clean_NCHW)
        where = F.interpolate(self.network.view.middle(where_N1HW.float()), size=target_NCHW.shape[-2:], mode="nearest")
        pixel_NCHW = F.pixel_shuffle(self.painter(as_map(features, prefix_tokens(self.network))), self._scale)
        side = target_NCHW.shape[-1]
        error = masked_error(pixel_NCHW[:, :, :side, :side], target_NCHW, where)
        self._errors.note(error, masked_error(visible_mean(target_NCHW, where), target_NCHW, where))
        return error

    def _agreed(self, features: Tensor, clean: list[Tensor], progress: float) -> Tensor:
        """MoCo v3's: each spoilt view is told which clean other view is its own, times 2 temperatures, both ways."""
        pooled_NF = self.network.pooled_from(features)
        own = self.prediction(self.projection(pooled_NF)).chunk(2)
        if self.training:
            self.follower.follow(self.network, self.projection, momentum=rising(self._momentum, progress))
            self._spread.note(pooled_NF.chunk(2)[0], own[0])
        keys = self.follower.keys(torch.cat(clean)).chunk(2)
        none_QE = keys[0][:0]
        both = [among_all(one, key, none_QE, self._temperature) for one, key in zip(own, keys[::-1], strict=True)]
        return 2 * self._temperature * torch.stack(both).sum()

    def watched(self) -> dict[str, float]:
        """``error_over_mean`` of what is painted, 1 if nothing is learnt; of the contrast, ranks and the spread."""
        painted = {"error_over_mean": self._errors.ratio()} if self._pixels else {}
        return {**painted, **(self._spread.values() if self._contrast else {})}

    def trouble(self, values: Mapping[str, float]) -> str | None:
        """That all projections are alike, if so."""
        return alike("sit", values) if self._contrast else None

"""SimMIM: tokens of hidden units are replaced by a learned one, and one linear layer predicts their pixels."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.maps import as_map, prefix_tokens, side_of, width_of
from trainables.objectives._error_over_mean import ErrorWatch
from trainables.objectives._freezing import freeze_unused
from trainables.objectives._hiding import check_tokens, embedded_and_features, hiding
from trainables.objectives._views import random_mask
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/2111.09886"
LABELS = False
SUPPORTS = ("tokens",)
COMPARES = None
SOURCE = "own"
PER_WORKER = "each worker draws the masks of its own images"
FIXED_SIDE = True  # masks fit the resolution
ON_FEATURES = False
NEEDS = ()
ORDERS = ()
AT_MOST = ()


def passes(**knobs: object) -> float:
    """One masked image; all tokens are encoded."""
    del knobs
    return 1.0


def objective(network: Deployable, *, masked: float = 0.6, unit: int = 1, sealed: bool = True) -> nn.Module:
    """Mean absolute error over the hidden pixels, of images as the network sees them (resized and normalised).

    Args:
        network: with a ``patch_embed``; its classifier and pooling are frozen.
        masked: share of the units that is hidden, rounded up to whole ones.
        unit: side of a unit, in tokens after ``patch_embed``.
        sealed: whether hidden pixels are grey before ``patch_embed``. The authors' patches do not overlap; where
            they do (two convolutions of TinyViT), visible tokens would be made from hidden pixels else.

    Raises:
        ValueError: the network has no tokens, or the unit does not divide their map.
    """
    return _SimMIM(network, masked, unit, sealed)


def masked_error(predicted_BCHW: Tensor, target_BCHW: Tensor, hidden_B1HW: Tensor) -> Tensor:
    """Sum of absolute errors at hidden pixels over their number times the channels (equation of section 3.4)."""
    hidden = hidden_B1HW.to(target_BCHW.dtype)
    error = (predicted_BCHW - target_BCHW).abs() * hidden
    return error.sum() / (hidden.sum() * target_BCHW.shape[1])


def visible_mean(image_BCHW: Tensor, hidden_B1HW: Tensor) -> Tensor:
    """The mean of each channel over an image's visible pixels, at all of its pixels."""
    visible_B1HW = 1 - hidden_B1HW
    mean_BC11 = (image_BCHW * visible_B1HW).sum((2, 3), keepdim=True) / visible_B1HW.sum((2, 3), keepdim=True)
    return mean_BC11.expand_as(image_BCHW)


class _SimMIM(ErrorWatch):
    def __init__(self, network: Deployable, masked: float, unit: int, sealed: bool) -> None:
        super().__init__()
        check_tokens(network, "objective 'simmim'", "'spark' for convolutions")
        self.network = network
        self._masked, self._unit, self._sealed = masked, unit, sealed
        embedded, features = embedded_and_features(network)
        channels = network.blank().shape[1]
        self._side = side_of(embedded)
        if self._side % unit:
            raise ValueError(f"objective 'simmim': a unit of {unit} does not divide a map of {self._side} tokens")
        self.token = nn.Parameter(torch.zeros(width_of(embedded)))
        nn.init.trunc_normal_(self.token, std=0.02)
        self._scale = -(-network.resolution // side_of(features, prefix_tokens(network)))
        self.decoder = nn.Conv2d(width_of(features), self._scale**2 * channels, 1)
        freeze_unused(network, network.features)

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images."""
        image_BCHW = batch.image_BCHW
        units = self._side // self._unit
        hidden_B1UU = random_mask(len(image_BCHW), units, math.ceil(self._masked * units**2), generator)
        hidden_B1TT = hidden_B1UU.repeat_interleave(self._unit, 2).repeat_interleave(self._unit, 3)
        hidden_B1TT = hidden_B1TT.to(image_BCHW.device)
        target_BCHW = self.network.prepared(image_BCHW)
        shown_B1HW = F.interpolate(hidden_B1TT.float(), size=target_BCHW.shape[-2:], mode="nearest")
        features = self.encoded(image_BCHW, hidden_B1TT)
        pixels = F.pixel_shuffle(self.decoder(as_map(features, prefix_tokens(self.network))), self._scale)
        side = self.network.resolution
        loss = masked_error(pixels[:, :, :side, :side], target_BCHW, shown_B1HW)
        self.errors.note(loss, masked_error(visible_mean(target_BCHW, shown_B1HW), target_BCHW, shown_B1HW))
        return loss

    def encoded(self, image_BCHW: Tensor, hidden_B1TT: Tensor) -> Tensor:
        """Features of images in [0, 1] of which some tokens are hidden."""
        with hiding(self.network, self.token, hidden_B1TT, sealed=self._sealed):
            return self.network.features(image_BCHW)

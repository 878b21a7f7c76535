"""SimMIM: tokens of hidden units are replaced by a learned one, and one linear layer predicts their pixels."""

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.deploy import Deployable, TokenBackbone, evaluating
from trainables.objectives._freezing import freeze_unused
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


def passes(**knobs: object) -> float:
    """One masked image; all tokens are encoded."""
    del knobs
    return 1.0


def objective(network: Deployable, *, masked: float = 0.6, unit: int = 1) -> nn.Module:
    """Mean absolute error over the hidden pixels, of images as the network sees them (resized and normalised).

    Args:
        network: with a ``patch_embed``; its classifier and pooling are frozen.
        masked: share of the units that is hidden, rounded up to whole ones.
        unit: side of a unit, in tokens after ``patch_embed``.

    Raises:
        ValueError: the network has no tokens, or the unit does not divide their map.
    """
    return _SimMIM(network, masked, unit)


def masked_error(predicted_BCHW: Tensor, target_BCHW: Tensor, hidden_B1HW: Tensor) -> Tensor:
    """Sum of absolute errors at hidden pixels over their number times the channels (equation of section 3.4)."""
    hidden = hidden_B1HW.to(target_BCHW.dtype)
    error = (predicted_BCHW - target_BCHW).abs() * hidden
    return error.sum() / (hidden.sum() * target_BCHW.shape[1])


class _SimMIM(nn.Module):
    def __init__(self, network: Deployable, masked: float, unit: int) -> None:
        super().__init__()
        if not hasattr(network.network, "patch_embed"):
            raise ValueError(
                f"objective 'simmim' hides tokens, which {type(network.network).__name__} does not have; "
                "use a backbone whose FEATURES are tokens, or 'spark' for convolutions"
            )
        self.network = network
        self._masked, self._unit = masked, unit
        embedded, features, channels = _shapes(network)
        self._side = _side(embedded)
        if self._side % unit:
            raise ValueError(f"objective 'simmim': a unit of {unit} does not divide a map of {self._side} tokens")
        self.token = nn.Parameter(torch.zeros(_width(embedded)))
        nn.init.trunc_normal_(self.token, std=0.02)
        self._scale = -(-network.resolution // _side(features, _tokens(network).num_prefix_tokens))
        self.decoder = nn.Conv2d(_width(features), self._scale**2 * channels, 1)
        freeze_unused(network, network.features)

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images."""
        image_BCHW = batch.image_BCHW
        units = self._side // self._unit
        hidden_B1UU = random_mask(len(image_BCHW), units, math.ceil(self._masked * units**2), generator)
        hidden_B1TT = hidden_B1UU.repeat_interleave(self._unit, 2).repeat_interleave(self._unit, 3)
        hidden_B1TT = hidden_B1TT.to(image_BCHW.device)
        target_BCHW = self.network.prepared(image_BCHW)

        def hide(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            del module, inputs
            return self._hidden(output, hidden_B1TT)

        hook = _tokens(self.network).patch_embed.register_forward_hook(hide)
        try:
            features = self.network.features(image_BCHW)
        finally:
            hook.remove()
        pixels = F.pixel_shuffle(self.decoder(_as_map(features, _tokens(self.network).num_prefix_tokens)), self._scale)
        side = self.network.resolution
        shown = F.interpolate(hidden_B1TT.float(), size=(side, side), mode="nearest")
        return masked_error(pixels[:, :, :side, :side], target_BCHW, shown)

    def _hidden(self, embedded: Tensor, hidden_B1TT: Tensor) -> Tensor:
        if embedded.ndim == 3:  # (B, T, F)
            return torch.where(hidden_B1TT.flatten(1)[:, :, None], self.token, embedded)
        if _channels_last(embedded):
            return torch.where(hidden_B1TT[:, 0, :, :, None], self.token, embedded)
        return torch.where(hidden_B1TT, self.token[:, None, None], embedded)


def _tokens(network: Deployable) -> TokenBackbone:
    return cast(TokenBackbone, network.network)


@torch.no_grad()
def _shapes(network: Deployable) -> tuple[Tensor, Tensor, int]:
    """The embedded tokens and the features of one empty image, and the image's channels."""
    outputs: list[Tensor] = []
    hook = _tokens(network).patch_embed.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    image = network.blank()
    with evaluating(network):
        features = network.features(image)
    hook.remove()
    return outputs[0], features, image.shape[1]


def _channels_last(features: Tensor) -> bool:
    """Whether a map is (B, H, W, F): maps are square, and no network here has as many features as positions a side."""
    return features.ndim == 4 and features.shape[1] == features.shape[2] != features.shape[3]


def _width(features: Tensor) -> int:
    return int(features.shape[1] if features.ndim == 4 and not _channels_last(features) else features.shape[-1])


def _side(features: Tensor, prefix: int = 0) -> int:
    return int((features.shape[1] - prefix) ** 0.5) if features.ndim == 3 else int(features.shape[2])


def _as_map(features: Tensor, prefix: int) -> Tensor:
    """Features as a map (B, F, H, W)."""
    if features.ndim == 4:
        return features.permute(0, 3, 1, 2) if _channels_last(features) else features
    side = _side(features, prefix)
    return features[:, prefix:].transpose(1, 2).reshape(len(features), -1, side, side)

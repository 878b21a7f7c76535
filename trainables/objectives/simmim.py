"""SimMIM: tokens of hidden units are replaced by a learned one, and one linear layer predicts their pixels."""

import math
from collections.abc import Mapping
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


def _visible_mean(image_BCHW: Tensor, hidden_B1HW: Tensor) -> Tensor:
    """The mean of each channel over an image's visible pixels, at all of its pixels."""
    visible_B1HW = 1 - hidden_B1HW
    mean_BC11 = (image_BCHW * visible_B1HW).sum((2, 3), keepdim=True) / visible_B1HW.sum((2, 3), keepdim=True)
    return mean_BC11.expand_as(image_BCHW)


class _SimMIM(nn.Module):
    def __init__(self, network: Deployable, masked: float, unit: int, sealed: bool) -> None:
        super().__init__()
        if not hasattr(network.network, "patch_embed"):
            raise ValueError(
                f"objective 'simmim' hides tokens, which {type(network.network).__name__} does not have; "
                "use a backbone whose FEATURES are tokens, or 'spark' for convolutions"
            )
        self.network = network
        self._masked, self._unit, self._sealed = masked, unit, sealed
        embedded, features, channels = _shapes(network)
        self._side = _side(embedded)
        if self._side % unit:
            raise ValueError(f"objective 'simmim': a unit of {unit} does not divide a map of {self._side} tokens")
        self.token = nn.Parameter(torch.zeros(_width(embedded)))
        nn.init.trunc_normal_(self.token, std=0.02)
        self._scale = -(-network.resolution // _side(features, _tokens(network).num_prefix_tokens))
        self.decoder = nn.Conv2d(_width(features), self._scale**2 * channels, 1)
        freeze_unused(network, network.features)
        self._error, self._error_of_mean = torch.zeros(()), torch.zeros(())

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
        pixels = F.pixel_shuffle(self.decoder(_as_map(features, _tokens(self.network).num_prefix_tokens)), self._scale)
        side = self.network.resolution
        loss = masked_error(pixels[:, :, :side, :side], target_BCHW, shown_B1HW)
        self._note(loss, masked_error(_visible_mean(target_BCHW, shown_B1HW), target_BCHW, shown_B1HW))
        return loss

    def encoded(self, image_BCHW: Tensor, hidden_B1TT: Tensor) -> Tensor:
        """Features of images in [0, 1] of which some tokens are hidden."""

        def seal(module: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
            del module
            (x_BCHW,) = inputs
            return x_BCHW * (1 - F.interpolate(hidden_B1TT.float(), size=x_BCHW.shape[-2:], mode="nearest"))

        def hide(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            del module, inputs
            return self._hidden(output, hidden_B1TT)

        embed = _tokens(self.network).patch_embed
        hooks = [embed.register_forward_hook(hide)]
        if self._sealed:
            hooks.append(embed.register_forward_pre_hook(seal))
        try:
            return self.network.features(image_BCHW)
        finally:
            for hook in hooks:
                hook.remove()

    def watched(self) -> dict[str, float]:
        """``error_over_mean``: the error of the epoch over that of the visible pixels' mean, 1 if nothing is learnt."""
        ratio = float(self._error / self._error_of_mean) if self._error_of_mean > 0 else 1.0
        self._error, self._error_of_mean = torch.zeros(()), torch.zeros(())
        return {"error_over_mean": ratio}

    def trouble(self, values: Mapping[str, float]) -> str | None:
        """None: masked pixels have no solution that is the same for all images and has a low loss."""
        del values
        return None

    def _note(self, error: Tensor, error_of_mean: Tensor) -> None:
        self._error = self._error.to(error.device) + error.detach()
        self._error_of_mean = self._error_of_mean.to(error.device) + error_of_mean

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

"""From the sparse maps of a masked network to its image: SparK's densifying layers and its decoder (section 3.2)."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.objectives._masked_convolution import hidden_at_last, normalised, visible_at

LEAST_WIDTH = 8
"""Channels of the decoder's finest blocks, where halving would leave fewer."""


class Densify(nn.Module):
    """A sparse map, normalised over its visible positions, a learned token at the others, and a projection.

    Args:
        channels: of the map.
        width: of the decoder where the map enters.
        size: of the projection's kernel; 1 at the coarsest map, 3 at the others.
        layer_norm: over the channels of each position, as in networks that have no batch normalisation.
    """

    def __init__(self, channels: int, width: int, size: int, *, layer_norm: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=1e-6) if layer_norm else nn.BatchNorm2d(channels)
        self.token = nn.Parameter(nn.init.trunc_normal_(torch.zeros(channels), std=0.02))
        self.project: nn.Module = nn.Conv2d(channels, width, size, padding=size // 2)
        if size == 1 and channels == width:
            self.project = nn.Identity()

    def forward(self, map_BCHW: Tensor, visible_B1UU: Tensor) -> Tensor:
        """The map (B, width, H, W), of which no position is empty."""
        if isinstance(self.norm, nn.LayerNorm):
            x_BCHW = hidden_at_last(visible_B1UU, self.norm(map_BCHW.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        else:
            x_BCHW = normalised(self.norm, visible_B1UU, map_BCHW)
        visible_B1HW = visible_at(visible_B1UU, *x_BCHW.shape[-2:]) > 0
        dense_BDHW: Tensor = self.project(torch.where(visible_B1HW, x_BCHW, self.token[:, None, None]))
        return dense_BDHW


class Decoder(nn.Module):
    """Blocks that double the side and halve the width, a dense map entering before the block of its side.

    Args:
        sides: of the maps, coarsest first.
        side: of the image.
        width: channels at the coarsest map.
        channels: of the image.
    """

    def __init__(self, sides: Sequence[int], *, side: int, width: int, channels: int) -> None:
        super().__init__()
        self._sides = _path(sides, side)
        self.widths = tuple(max(width >> step, min(width, LEAST_WIDTH)) for step in range(len(self._sides)))
        """Channels at each side, coarsest first."""
        self.entries = tuple(self._sides.index(own) for own in sides)
        """Which of them each map enters at."""
        self.blocks = nn.ModuleList(_block(*self.widths[step : step + 2]) for step in range(len(self._sides) - 1))
        self.paint = nn.Conv2d(self.widths[-1], channels, 1)

    def forward(self, dense: Sequence[Tensor]) -> Tensor:
        """The image (B, channels, side, side) from dense maps, coarsest first."""
        x_BDHW = dense[0]
        skip_of = dict(zip(self.entries[1:], dense[1:], strict=True))
        for step, block in enumerate(self.blocks):
            if step in skip_of:
                x_BDHW = x_BDHW + skip_of[step]
            # Maps of odd sides are not half as wide: 7 comes before 4.
            x_BDHW = F.interpolate(block(x_BDHW), size=2 * (self._sides[step + 1],), mode="nearest")
        painted_BCHW: Tensor = self.paint(x_BDHW)
        return painted_BCHW


def _path(sides: Sequence[int], side: int) -> tuple[int, ...]:
    """Sides from the coarsest map's to the image's, all maps' among them, each at most twice the one before."""
    path = [sides[0]]
    for target in [*sides[1:], side]:
        steps = math.ceil(math.log2(target / path[-1]))
        path += [-(-target // 2**left) for left in reversed(range(steps))]
    return tuple(path)


def _block(width: int, after: int) -> nn.Sequential:
    """The authors' UNetBlock."""
    return nn.Sequential(
        nn.ConvTranspose2d(width, width, 4, stride=2, padding=1),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU6(),
        nn.Conv2d(width, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
    )

"""Modules of MOAT, whose costs are beside its builder (``moat``): whoever only counts does without torch."""

import torch
import torch.nn.functional as F
from timm.models._efficientnet_blocks import SqueezeExcite
from torch import Tensor, nn

from trainables.backbones._blocks import Attention, drop_path
from trainables.backbones._windows import from_windows, inside, into_windows
from trainables.backbones.moat import HEAD_WIDTH, squeezed


def stem(channels: int, width: int, stride: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, stride, 1), nn.BatchNorm2d(width), nn.GELU(), nn.Conv2d(width, width, 3, 1, 1)
    )


class Convolutions(nn.Module):
    """Inverted residual with its norm before it; the shortcut is pooled and projected where the shape changes."""

    def __init__(self, inputs: int, outputs: int, expansion: int, *, stride: int, excited: bool, drop: float) -> None:
        super().__init__()
        middle = expansion * outputs
        excite = SqueezeExcite(middle, rd_channels=squeezed(outputs), act_layer=nn.GELU) if excited else nn.Identity()
        self.residual = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, middle, 1, bias=False),
            nn.BatchNorm2d(middle),
            nn.GELU(),
            nn.Conv2d(middle, middle, 3, stride, 1, groups=middle, bias=False),
            nn.BatchNorm2d(middle),
            nn.GELU(),
            excite,
            nn.Conv2d(middle, outputs, 1),
        )
        pool = nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False) if stride > 1 else nn.Identity()
        project = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.shortcut, self.drop = nn.Sequential(pool, project), drop_path(drop)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        out_BCHW: Tensor = self.shortcut(x_BCHW) + self.drop(self.residual(x_BCHW))
        return out_BCHW


class Windowed(nn.Module):
    """Layer norm and attention within square windows, with a bias for every offset of positions."""

    def __init__(self, width: int, window: int, biased: bool, drop: float) -> None:
        super().__init__()
        self.norm, self.attn, self.drop = nn.LayerNorm(width), Attention(width, HEAD_WIDTH), drop_path(drop)
        offsets = 2 * window - 1
        self.bias = nn.Parameter(torch.zeros(width // HEAD_WIDTH, offsets, offsets)) if biased else None
        self._window = window

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BHWC: Tensor = x_BCHW.permute(0, 2, 3, 1)
        height, width = x_BHWC.shape[1:3]
        side = min(self._window, max(height, width))
        window_SNC = into_windows(self.norm(x_BHWC), side, side)
        mixed_SNC = self.attn(window_SNC, self._added(height, width, side, window_SNC))
        x_BHWC = x_BHWC + self.drop(from_windows(mixed_SNC, height, width, side, side))
        return x_BHWC.permute(0, 3, 1, 2)

    def _added(self, height: int, width: int, side: int, window_SNC: Tensor) -> Tensor | None:
        """What is added to the scores: the bias of positions, and minus infinity for padding."""
        added = None if self.bias is None else bias_of_offsets(self.bias, side)
        shown = inside(height, width, side, side, window_SNC)
        if shown is None:
            return added
        hidden = window_SNC.new_zeros(shown.shape).masked_fill(~shown, -torch.inf)
        return hidden if added is None else hidden + added


def bias_of_offsets(table_HOO: Tensor, side: int) -> Tensor:
    """Bias of every pair of positions of a window, (heads, side x side, side x side); interpolated to other sides."""
    if table_HOO.shape[1] != 2 * side - 1:
        table_HOO = F.interpolate(table_HOO[None], size=2 * side - 1, mode="bicubic", align_corners=True)[0]
    line = torch.arange(side, device=table_HOO.device)
    offset = line[:, None] - line + side - 1
    pairs_HQQKK = table_HOO[:, offset[:, None, :, None], offset[None, :, None, :]]
    return pairs_HQQKK.reshape(len(table_HOO), side * side, side * side)

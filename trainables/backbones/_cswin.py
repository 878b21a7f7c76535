"""Modules of CSWin, whose costs are beside its builder (``cswin``): whoever only counts does without torch."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.backbones._blocks import Perceptron, drop_path, map_norm
from trainables.backbones._windows import from_windows, inside, into_windows


def smaller(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, 2, 1), map_norm(outputs))


class Stripes(nn.Module):
    """Attention of some heads within stripes of one direction, and a depthwise convolution of the values in them."""

    def __init__(self, width: int, heads: int, stripe: int, *, of_rows: bool) -> None:
        super().__init__()
        self.position = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self._heads, self._stripe, self._of_rows = heads, stripe, of_rows

    def forward(self, qkv_3BHWC: Tensor) -> Tensor:
        height, width, channels = qkv_3BHWC.shape[2:]
        across = height if self._of_rows else width
        thick = min(self._stripe or across, across)
        h, w = (thick, width) if self._of_rows else (height, thick)  # sides of one stripe
        stripe_SNC = into_windows(qkv_3BHWC.flatten(0, 1), h, w)
        qkv_3SHND = stripe_SNC.reshape(3, -1, h * w, self._heads, channels // self._heads).transpose(2, 3)
        query, key, value = qkv_3SHND.unbind(0)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=inside(height, width, h, w, query))
        value_SChw = value.transpose(2, 3).reshape(-1, channels, h, w)
        local_SNC = self.position(value_SChw).flatten(2).transpose(1, 2)
        return from_windows(mixed.transpose(1, 2).flatten(2) + local_SNC, height, width, h, w)


class Block(nn.Module):
    """Attention within rows and columns, and a perceptron."""

    def __init__(self, width: int, heads: int, stripe: int, ratio: float, drop: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.rows = Stripes(width // 2, heads // 2, stripe, of_rows=True)
        self.columns = Stripes(width // 2, heads // 2, stripe, of_rows=False)
        self.mlp, self.drop = Perceptron(width, ratio), drop_path(drop)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BHWC: Tensor = x_BCHW.permute(0, 2, 3, 1)
        qkv_3BHWC = self.qkv(self.norm1(x_BHWC)).unflatten(3, (3, -1)).permute(3, 0, 1, 2, 4)
        of_rows, of_columns = qkv_3BHWC.chunk(2, dim=-1)
        mixed_BHWC = torch.cat([self.rows(of_rows), self.columns(of_columns)], dim=-1)
        x_BHWC = x_BHWC + self.drop(self.proj(mixed_BHWC))
        x_BHWC = x_BHWC + self.drop(self.mlp(self.norm2(x_BHWC)))
        return x_BHWC.permute(0, 3, 1, 2)

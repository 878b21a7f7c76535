"""Parts of transformer blocks, each with its cost beside it; tokens are (B, N, C).

Timm's layers are imported where they are built: whoever only counts candidates does without its import of seconds.
"""

from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.counting.counts import Tally


class Attention(nn.Module):
    """Self-attention over all tokens, with heads of ``head_width`` channels."""

    def __init__(self, width: int, head_width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self._head_width = head_width

    def forward(self, x_BNC: Tensor, bias_HNN: Tensor | None = None) -> Tensor:
        """Mixed tokens (B, N, C); ``bias_HNN`` is added to the scores of each head."""
        qkv_3BHND = self.qkv(x_BNC).unflatten(2, (3, -1, self._head_width)).permute(2, 0, 3, 1, 4)
        query, key, value = qkv_3BHND.unbind(0)
        mixed_BHND = F.scaled_dot_product_attention(query, key, value, attn_mask=bias_HNN)
        projected: Tensor = self.proj(mixed_BHND.transpose(1, 2).flatten(2))
        return projected


class Perceptron(nn.Sequential):
    """Two linear layers with a GELU between them."""

    def __init__(self, width: int, ratio: float) -> None:
        hidden = int(width * ratio)
        super().__init__(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))


def drop_path(rate: float) -> nn.Module:
    """Stochastic depth: leaves out a branch of a block, image by image, with this probability."""
    from timm.layers import DropPath

    dropped: nn.Module = DropPath(rate)
    return dropped


def map_norm(width: int) -> nn.Module:
    """Layer norm over the channels of each position of a map (B, C, H, W)."""
    from timm.layers import LayerNorm2d

    norm: nn.Module = LayerNorm2d(width)
    return norm


def add_attention(tally: Tally, width: Any, tokens: Any, *, groups: Any = 1, times: Any = 1) -> None:
    """Layer norm and attention within ``groups`` of ``tokens``."""
    tally.params = tally.params + 2 * width * times
    tally.linear(width, 3 * width, positions=groups * tokens, times=times)
    tally.linear(width, width, positions=groups * tokens, times=times)
    tally.macs = tally.macs + 2 * groups * tokens * tokens * width * times


def add_perceptron(tally: Tally, width: Any, ratio: Any, positions: Any, *, times: Any = 1) -> None:
    """Layer norm (or batch norm, which has as many parameters) and perceptron."""
    hidden = np.asarray(width * ratio).astype(np.int64)
    tally.params = tally.params + 2 * width * times
    tally.linear(width, hidden, positions=positions, times=times)
    tally.linear(hidden, width, positions=positions, times=times)

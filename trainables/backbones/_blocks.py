"""Parts of transformer blocks, whose costs are in ``_block_costs``; tokens are (B, N, C)."""

import torch.nn.functional as F
from timm.layers import DropPath, LayerNorm2d
from torch import Tensor, nn


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
    dropped: nn.Module = DropPath(rate)
    return dropped


def map_norm(width: int) -> nn.Module:
    """Layer norm over the channels of each position of a map (B, C, H, W)."""
    norm: nn.Module = LayerNorm2d(width)
    return norm

"""Attention from some tokens to others: CAE's regressor and CroCo's decoder."""

from timm.layers import Mlp
from torch import Tensor, nn
from torch.nn import functional

from trainables.objectives._patch_decoder import HEAD_WIDTH


class CrossAttention(nn.Module):
    """Queries of one set of tokens, keys and values of another.

    Args:
        width: of both.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query, self.key_and_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.project = nn.Linear(width, width)

    def forward(self, query_BQD: Tensor, memory_BKD: Tensor) -> Tensor:
        """What the queries read of the memory, (B, Q, D)."""
        query_BHQE = _heads(self.query(query_BQD))
        key_BHKE, value_BHKE = (_heads(part) for part in self.key_and_value(memory_BKD).chunk(2, dim=-1))
        read_BHQE = functional.scaled_dot_product_attention(query_BHQE, key_BHKE, value_BHKE)
        read_BQD: Tensor = self.project(read_BHQE.transpose(1, 2).flatten(2))
        return read_BQD


def _heads(x_BTD: Tensor) -> Tensor:
    return x_BTD.reshape(*x_BTD.shape[:2], -1, HEAD_WIDTH).transpose(1, 2)


class CrossBlock(nn.Module):
    """Cross-attention and a perceptron, each normalised before and added.

    Args:
        width: of queries and memory.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm_query, self.norm_memory = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.cross = CrossAttention(width)
        self.norm_mlp, self.mlp = nn.LayerNorm(width, eps=1e-6), Mlp(width, 4 * width)

    def forward(self, x_BQD: Tensor, memory_BKD: Tensor, *, position_BQD: Tensor | float = 0.0) -> Tensor:
        """The queries (B, Q, D) after they have read the memory; positions are added to queries alone."""
        x_BQD = x_BQD + self.cross(self.norm_query(x_BQD + position_BQD), self.norm_memory(memory_BKD))
        read_BQD: Tensor = x_BQD + self.mlp(self.norm_mlp(x_BQD))
        return read_BQD


class PairBlock(nn.Module):
    """Attention among the tokens, attention to a memory, and a perceptron: CroCo's decoder block.

    Args:
        width: of tokens and memory.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(width, eps=1e-6), CrossAttention(width)
        self.cross = CrossBlock(width)

    def forward(self, x_BTD: Tensor, memory_BKD: Tensor) -> Tensor:
        """The tokens (B, T, D) after they have read each other and the memory."""
        normed_BTD = self.norm(x_BTD)
        read_BTD: Tensor = self.cross(x_BTD + self.attention(normed_BTD, normed_BTD), memory_BKD)
        return read_BTD

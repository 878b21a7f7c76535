"""From encoded tokens of some places to a prediction at every place: decoders of masked autoencoders."""

import torch
from timm.layers.pos_embed_sincos import build_sincos2d_pos_embed
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from trainables.objectives._visible import Grid

HEAD_WIDTH = 16


def check_width(width: int, what: str) -> None:
    """That heads fill a decoder's width.

    Raises:
        ValueError: they do not.
    """
    if width % HEAD_WIDTH or width <= 0:
        raise ValueError(f"{what}: a decoder's width is a multiple of {HEAD_WIDTH}, given {width}")


def positions(grid: Grid, width: int) -> Tensor:
    """Fixed sines and cosines of every place, (N, width)."""
    position_ND: Tensor = build_sincos2d_pos_embed([grid.side, grid.side], dim=width)
    return position_ND


def mask_token(width: int) -> nn.Parameter:
    """What stands for a hidden place before anything is known of it."""
    return nn.Parameter(nn.init.normal_(torch.zeros(width), std=0.02))


def self_attention(width: int) -> nn.Module:
    """timm's block of attention and perceptron."""
    block: nn.Module = Block(width, width // HEAD_WIDTH, mlp_ratio=4.0, qkv_bias=True)
    return block


class PatchDecoder(nn.Module):
    """MAE's decoder: a learned token at hidden places, fixed positions, blocks of attention, a linear layer.

    Args:
        grid: of the encoder.
        width, depth: of the blocks.
        outputs: numbers predicted at a place.
    """

    position_ND: Tensor

    def __init__(self, grid: Grid, *, width: int, depth: int, outputs: int) -> None:
        super().__init__()
        self._prefix = grid.prefix
        self.embed = nn.Linear(grid.width, width)
        self.token = mask_token(width)
        self.register_buffer("position_ND", positions(grid, width), persistent=False)
        self.blocks = nn.Sequential(*(self_attention(width) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.predict = nn.Linear(width, outputs)

    def forward(self, token_BTF: Tensor, place_BM: Tensor) -> Tensor:
        """Predictions (B, N, outputs) from encoded tokens, prefix first, of the places shown."""
        predicted_BNO: Tensor = self.predict(
            self.norm(self.blocks(self.placed(token_BTF, place_BM)))[:, self._prefix :]
        )
        return predicted_BNO

    def placed(self, token_BTF: Tensor, place_BM: Tensor) -> Tensor:
        """Tokens (B, P + N, width) of all places: those shown where they belong, the learned one elsewhere."""
        embedded_BTD = self.embed(token_BTF)
        shown_BMD = embedded_BTD[:, self._prefix :]
        everywhere_BND = self.token.to(shown_BMD.dtype).expand(len(shown_BMD), len(self.position_ND), -1)
        index_BMD = place_BM[:, :, None].expand_as(shown_BMD)
        placed_BND = everywhere_BND.scatter(1, index_BMD, shown_BMD) + self.position_ND
        return torch.cat([embedded_BTD[:, : self._prefix], placed_BND], dim=1)

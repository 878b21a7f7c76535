"""Encoders that see a part of the tokens."""

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from trainables.deploy import Deployable, SequenceBackbone
from trainables.objectives._patches import at
from trainables.objectives._views import random_mask

RECTANGLES = 24
"""Drawn for an image, which nearly always cover more than is hidden."""
ELONGATION = math.log(1 / 0.3)
"""Of a rectangle at most: the logarithm of its sides' ratio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Places of a network's tokens.

    Attributes:
        side: places to a side.
        patch: side of a patch, pixels of the network's image.
        width: of a token.
        prefix: tokens that stand for no place.
        pixels: numbers in a patch.
    """

    side: int
    patch: int
    width: int
    prefix: int
    pixels: int

    @property
    def places(self) -> int:
        return self.side**2


def grid_of(network: Deployable, what: str) -> Grid:
    """The grid of a network whose blocks take any part of the tokens.

    Args:
        network: whose backbone is asked.
        what: shows it a part, for people.

    Raises:
        ValueError: its blocks need all tokens, or its map is one token.
    """
    body = network.network
    if not hasattr(body, "encoded") or not hasattr(body, "embedded"):
        raise ValueError(
            f"{what} leaves tokens out, which {type(body).__name__} cannot; use a backbone whose FEATURES have the "
            "word sequence, such as vit, or objective 'simmim' (tokens) or 'spark' (convolutions)"
        )
    patch = int(cast(tuple[int, int], cast(SequenceBackbone, body).patch_embed.patch_size)[0])
    side = -(-network.resolution // patch)
    if side < 2:
        raise ValueError(f"{what}: an image of {network.resolution} pixels is a single patch of {patch}")
    return Grid(
        side=side,
        patch=patch,
        width=int(cast(SequenceBackbone, body).num_features),
        prefix=int(cast(SequenceBackbone, body).num_prefix_tokens),
        pixels=network.blank().shape[1] * patch**2,
    )


def check_share(masked: float, what: str) -> None:
    """That a share of tokens can be hidden.

    Raises:
        ValueError: it hides none, or all.
    """
    if not 0.0 < masked < 1.0:
        raise ValueError(f"{what} hides a share of the tokens between 0 and 1, given {masked}")


def split(hidden_BN: Tensor) -> tuple[Tensor, Tensor]:
    """Places that are shown and that are hidden, (B, M) and (B, N - M), each in order; all images hide as many."""
    order_BN = hidden_BN.int().argsort(dim=1, stable=True)
    shown = hidden_BN.shape[1] - int(hidden_BN[0].sum())
    return order_BN[:, :shown], order_BN[:, shown:]


def scattered(count: int, grid: Grid, hidden: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Places shown and hidden, drawn for each image alone; at least one is shown and one hidden."""
    return split(random_mask(count, grid.side, hidden, generator).flatten(1))


def in_blocks(count: int, grid: Grid, hidden: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """As ``scattered``, but rectangles of a twelfth to a third of the places are hidden, as BEiT has it.

    A place's rank is that of the first rectangle over it; those of the lowest ranks are hidden, so the last rectangle
    is hidden in part, at random places. Aspect ratios are from .3 to 1 / .3.
    """
    rectangles, side = RECTANGLES, grid.side

    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, rectangles, 1, generator=generator)

    area_BR1, aspect_BR1 = side**2 * draw(1 / 12, 1 / 3), draw(-ELONGATION, ELONGATION).exp()
    high_BR1, wide_BR1 = (area_BR1 * aspect_BR1).sqrt(), (area_BR1 / aspect_BR1).sqrt()
    cell_S = torch.arange(side) + 0.5

    def covers(length_BR1: Tensor) -> Tensor:
        length_BR1 = length_BR1.clamp(max=side)
        start_BR1 = (side - length_BR1) * draw(0.0, 1.0)
        return (cell_S >= start_BR1) & (cell_S < start_BR1 + length_BR1)

    covered_BRN = (covers(high_BR1)[..., :, None] & covers(wide_BR1)[..., None, :]).flatten(2)
    first_BN = torch.where(covered_BRN.any(1), covered_BRN.int().argmax(1), rectangles)
    rank_BN = (first_BN + torch.rand(count, side**2, generator=generator)).argsort(1).argsort(1)
    return split(rank_BN < min(max(1, hidden), grid.places - 1))


def encoded(network: Deployable, image_BCHW: Tensor, place_BM: Tensor | None = None) -> Tensor:
    """Encoded tokens (B, P + M, F) of the places shown (of all by default), the P prefix tokens first.

    Nothing of the other places enters: patches do not overlap, and the blocks see no token of theirs.
    """
    body = cast(SequenceBackbone, network.network)
    token_BTF = body.embedded(network.prepared(image_BCHW))
    if place_BM is not None:
        prefix = body.num_prefix_tokens
        token_BTF = torch.cat([token_BTF[:, :prefix], at(token_BTF[:, prefix:], place_BM)], dim=1)
    return body.encoded(token_BTF)

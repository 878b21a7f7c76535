"""The plain vision transformer: patches as tokens, attention over all of them in every block.

Dosovitskiy et al., 2021 (https://arxiv.org/abs/2010.11929), with registers (Darcet et al., 2024,
https://arxiv.org/abs/2309.16588). Built from timm's ``VisionTransformer``.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.backbones._block_costs import add_attention, add_perceptron
from trainables.backbones._stage_checks import check_heads, check_side
from trainables.counting.counts import Counts, Tally

if TYPE_CHECKING:
    from torch import nn

FEATURES = ("tokens", "sequence")
TRACED = False

POOLING = {"mean": "avg", "token": "token"}
"""Timm's name of each."""


def build(
    *,
    classes: int,
    channels: int,
    resolution: int,
    patch: int,
    width: int,
    depth: int,
    head_width: int,
    mlp_ratio: float,
    pooling: str,
    registers: int = 0,
    neck: int = 0,
    dropout: float = 0.0,
    stochastic_depth: float = 0.0,
) -> "nn.Module":
    """Build a network.

    Args:
        classes: outputs of the classifier.
        channels: channels of the input image.
        resolution: side of the input image, pixels, padded to whole patches; kept in ``default_cfg``.
        patch: side of a patch, pixels.
        width, depth: channels of the tokens and number of blocks.
        head_width: channels of one attention head; divides the width.
        mlp_ratio: hidden width of a block's perceptron over its width.
        pooling: what the classifier reads, the ``mean`` of all tokens of the image, or a class ``token`` that only
            this has.
        registers: learned tokens that stand for no place and that nothing reads.
        neck: width of a hidden layer below the classifier, see ``_neck``; 0 is none.
        dropout: probability before the classifier.
        stochastic_depth: probability of skipping the last block; falls linearly to 0 at the first.

    Raises:
        ValueError: a width that its heads do not fill, an unknown pooling, or an image smaller than a patch.
    """
    from trainables.backbones._neck import NeckedVisionTransformer

    check_heads("vit", [width], head_width)
    check_side(resolution, [patch])
    if pooling not in POOLING:
        raise ValueError(f"a vit's pooling is {' or '.join(POOLING)}, given {pooling}")
    network = NeckedVisionTransformer(
        img_size=-(-resolution // patch) * patch,  # a position for the last, padded patch, too
        patch_size=patch,
        in_chans=channels,
        num_classes=classes,
        global_pool=POOLING[pooling],
        embed_dim=width,
        depth=depth,
        num_heads=width // head_width,
        mlp_ratio=mlp_ratio,
        class_token=pooling == "token",
        reg_tokens=registers,
        drop_rate=dropout,
        drop_path_rate=stochastic_depth,
        dynamic_img_size=True,
        dynamic_img_pad=True,
    )
    network.neck_width = 0
    if neck:
        network.add_neck(neck)
    network.default_cfg = {"input_size": (channels, resolution, resolution), "num_classes": classes}
    built: nn.Module = network
    return built


def cost(
    *,
    classes: int,
    channels: int,
    resolution: Any,
    patch: Any,
    width: Any,
    depth: Any,
    head_width: Any,
    mlp_ratio: Any,
    pooling: Any,
    registers: Any = 0,
    neck: Any = 0,
) -> Counts:
    """Exact counts of N networks; takes ``build``'s keywords with arrays of shape (N,) in place of numbers."""
    del head_width  # heads share the width, so how many there are changes no count
    tally = Tally()
    side = -(-resolution // patch)
    prefix = registers + np.equal(pooling, "token")
    tokens = side * side + prefix
    tally.conv(channels, width, patch, side, bias=True, norm=False)
    tally.params = tally.params + width * (tokens + prefix) + 2 * width  # positions of all, prefix tokens, last norm
    add_attention(tally, width, tokens, times=depth)
    add_perceptron(tally, width, mlp_ratio, tokens, times=depth)
    tally.linear(tally.neck(width, neck), classes)
    return tally.counts(resolution, {"depth": depth, "tokens": tokens})

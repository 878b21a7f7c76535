"""The plain vision transformer: patches as tokens, attention over all of them in every block.

Dosovitskiy et al., 2021 (https://arxiv.org/abs/2010.11929), with registers (Darcet et al., 2024,
https://arxiv.org/abs/2309.16588), or with reversed attention and fewer tokens from block to block (Ding et al., 2023,
https://arxiv.org/abs/2304.03282). Built from timm's ``VisionTransformer``.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.backbones._block_costs import add_attention, add_perceptron
from trainables.backbones._stage_checks import check_heads, check_side, drop_rates
from trainables.counting.counts import Counts, Tally

if TYPE_CHECKING:
    from torch import nn

FEATURES = ("tokens", "sequence")
TRACED = False

POOLING = {"mean": "avg", "token": "token"}
"""Timm's name of each."""
ATTENTION = ("standard", "reversed")


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
    attention: str = "standard",
    pruned: float = 0.0,
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
        attention: ``standard``, or ``reversed``: tokens send themselves to others, see ``_reversed``.
        pruned: share of the image's tokens, rounded down, that every block but the last leaves out, those that may
            send the least; needs reversed attention.
        neck: width of a hidden layer below the classifier, see ``_neck``; 0 is none.
        dropout: probability before the classifier.
        stochastic_depth: probability of skipping the last block; falls linearly to 0 at the first.

    Raises:
        ValueError: a width that its heads do not fill, an unknown pooling or attention, pruning without reversed
            attention, or an image smaller than a patch.
    """
    from trainables.backbones._neck import NeckedVisionTransformer
    from trainables.backbones._reversed import DependencyViT

    check_heads("vit", [width], head_width)
    check_side(resolution, [patch])
    if pooling not in POOLING:
        raise ValueError(f"a vit's pooling is {' or '.join(POOLING)}, given {pooling}")
    if attention not in ATTENTION:
        raise ValueError(f"a vit's attention is {' or '.join(ATTENTION)}, given {attention}")
    if not 0.0 <= pruned < 1.0 or (pruned and attention != "reversed"):
        raise ValueError(f"a vit's pruned is in [0, 1), and above 0 with reversed attention only, given {pruned}")
    network = (DependencyViT if attention == "reversed" else NeckedVisionTransformer)(
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
    if isinstance(network, DependencyViT):
        (rates,) = drop_rates([depth], stochastic_depth)
        network.reverse(mlp_ratio=mlp_ratio, drop_path=rates, leaves_out=pruned)
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
    attention: Any = "standard",
    pruned: Any = 0.0,
    neck: Any = 0,
) -> Counts:
    """Exact counts of N networks; takes ``build``'s keywords with arrays of shape (N,) in place of numbers."""
    tally = Tally()
    side = -(-resolution // patch)
    prefix = registers + np.equal(pooling, "token")
    tokens = side * side + prefix
    tally.conv(channels, width, patch, side, bias=True, norm=False)
    tally.params = tally.params + width * (tokens + prefix) + 2 * width  # positions of all, prefix tokens, last norm
    reverses = np.equal(attention, "reversed")
    _add_blocks(tally, width, mlp_ratio, tokens, times=depth * ~reverses)
    if np.any(reverses):
        leaves_out = (pruned * side * side).astype(np.int64) if np.ndim(pruned) else int(pruned * side * side)
        _add_reversed(tally, width, head_width, mlp_ratio, tokens, prefix, leaves_out, depth * reverses)
    tally.linear(tally.neck(width, neck), classes)
    return tally.counts(resolution, {"depth": depth, "tokens": tokens})


def _add_blocks(tally: Tally, width: Any, mlp_ratio: Any, tokens: Any, *, times: Any) -> None:
    add_attention(tally, width, tokens, times=times)
    add_perceptron(tally, width, mlp_ratio, tokens, times=times)


def _add_reversed(
    tally: Tally,
    width: Any,
    head_width: Any,
    mlp_ratio: Any,
    tokens: Any,
    prefix: Any,
    leaves_out: Any,
    depth: Any,
) -> None:
    """``depth`` blocks, the selection of heads and the gate of each among them; later ones see fewer tokens."""
    for block in range(int(np.max(depth, initial=0))):
        there = np.less(block, depth)
        _add_blocks(tally, width, mlp_ratio, tokens, times=there)
        tally.linear(width, width // head_width, positions=tokens, times=there)
        tally.linear(width, width // 4, positions=tokens, times=there)
        tally.linear(width // 4, 1, positions=tokens, times=there)
        tokens = np.where(tokens - leaves_out > prefix, tokens - leaves_out, tokens)

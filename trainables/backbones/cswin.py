"""CSWin: attention within stripes of rows and of columns at once, half of the heads each.

Dong et al., 2022 (https://arxiv.org/abs/2107.00652). Own writing; the published sizes have the parameters of the
authors' networks. Where a stripe does not divide the map, its last one has fewer positions: the map is padded to whole
stripes, and padding is hidden from attention.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.backbones._block_costs import add_perceptron
from trainables.backbones._stage_checks import check_side, check_stages, drop_rates
from trainables.counting.counts import Counts, Tally, out_side

if TYPE_CHECKING:
    from torch import nn

FEATURES = ("tokens",)
TRACED = False

STEM_PADDING = {1: 3, 2: 3, 4: 2}
"""Padding of the stem's 7x7 convolution by its stride; the published one has stride 4."""


def build(
    *,
    classes: int,
    channels: int,
    resolution: int,
    width: int,
    depth: Sequence[int],
    stripe: Sequence[int],
    heads: int,
    mlp_ratio: float,
    stem_stride: int,
    neck: int = 0,
    dropout: float = 0.0,
    stochastic_depth: float = 0.0,
) -> "nn.Module":
    """Build a network.

    Args:
        classes: outputs of the classifier.
        channels: channels of the input image.
        resolution: side of the input image, pixels; kept in ``default_cfg``.
        width: channels of the first stage; every further stage has twice as many and half the side.
        depth: number of blocks of each stage.
        stripe: width of the stripes of each stage in positions; 0, or more than the map has, is the whole map.
        heads: of the first stage, even, a divisor of ``width``; they double with the width.
        mlp_ratio: hidden width of a block's perceptron over its width.
        stem_stride: pixels to a position of the first map: 1, 2 or 4.
        neck: width of a hidden layer below the classifier, see ``_neck``; 0 is none.
        dropout: probability before the classifier.
        stochastic_depth: probability of skipping the last block; falls linearly to 0 at the first.

    Raises:
        ValueError: lists of disagreeing lengths, an odd number of heads or one that does not divide the width, an
            unknown stride, or an image too small for the strides.
    """
    from torch import nn

    from trainables.backbones._blocks import map_norm
    from trainables.backbones._cswin import Block, smaller
    from trainables.backbones._stages import Stages

    check_stages("cswin", depth=depth, stripe=stripe)
    if heads % 2 or width % heads:
        raise ValueError(
            f"a cswin has an even number of heads, half for rows and half for columns, that divides its width; "
            f"given {heads} for {width}"
        )
    if stem_stride not in STEM_PADDING:
        raise ValueError(f"a cswin's stem_stride is 1, 2 or 4, given {stem_stride}")
    check_side(resolution, [stem_stride] + [2] * (len(depth) - 1))
    stages = []
    for stage, rates in enumerate(drop_rates(depth, stochastic_depth)):
        channels_here = width * 2**stage
        first = [smaller(channels_here // 2, channels_here)] if stage else []
        blocks = [Block(channels_here, heads * 2**stage, stripe[stage], mlp_ratio, rate) for rate in rates]
        stages.append(nn.Sequential(*first, *blocks))
    last = width * 2 ** (len(depth) - 1)
    stem = nn.Sequential(nn.Conv2d(channels, width, 7, stem_stride, STEM_PADDING[stem_stride]), map_norm(width))
    return Stages(
        stem,
        stages,
        map_norm(last),
        last,
        classes=classes,
        channels=channels,
        resolution=resolution,
        neck=neck,
        dropout=dropout,
    )


def cost(
    *,
    classes: int,
    channels: int,
    resolution: Any,
    width: Any,
    depth: Any,
    stripe: Any,
    heads: Any,
    mlp_ratio: Any,
    stem_stride: Any,
    neck: Any = 0,
) -> Counts:
    """Exact counts of N networks; takes ``build``'s keywords with arrays of shape (N,) in place of numbers."""
    del heads  # they share the width, so how many there are changes no count
    tally, marks = Tally(), []
    side = out_side(resolution, 7, stem_stride, np.where(np.equal(stem_stride, 4), STEM_PADDING[4], STEM_PADDING[1]))
    tally.conv(channels, width, 7, side, bias=True)  # its layer norm has as many parameters as a batch norm
    for stage, blocks in enumerate(depth):
        marks.append(tally.macs)
        channels_here = width * 2**stage
        if stage:
            side = out_side(side, 3, 2, 1)
            tally.conv(channels_here // 2, channels_here, 3, side, bias=True)
        _add_stripes(tally, channels_here, side, stripe[stage], times=blocks)
        add_perceptron(tally, channels_here, mlp_ratio, side * side, times=blocks)
    marks.append(tally.macs)
    last = width * 2 ** (len(depth) - 1)
    tally.params = tally.params + 2 * last  # the last map's layer norm
    tally.linear(tally.neck(last, neck), classes)
    features: dict[str, Any] = {"depth": sum(depth), "mean_stripe": sum(stripe) / len(stripe)}
    for stage, (before, after) in enumerate(pairwise(marks)):
        features[f"macs_share.{stage}"] = (after - before) / tally.macs
    return tally.counts(resolution, features)


def _add_stripes(tally: Tally, width: Any, side: Any, stripe: Any, *, times: Any) -> None:
    """Layer norm, query-key-value, attention of both directions with its convolutions, projection."""
    thick = np.where(np.equal(stripe, 0), side, np.minimum(stripe, side))
    padded = side * thick * -(-side // thick)
    tally.params = tally.params + 2 * width * times
    tally.linear(width, 3 * width, positions=side * side, times=times)
    tally.linear(width, width, positions=side * side, times=times)
    tally.add(weight=9 * width, positions=padded, outputs=width, others=width, times=times)
    tally.macs = tally.macs + 2 * padded * side * thick * width * times

"""RegNet: residual networks of grouped convolutions, all widths and depths of which follow from four numbers.

Radosavovic et al., 2020 (https://arxiv.org/abs/2003.13678). Built from timm's stages; with squeeze-excite it is
RegNetY, without RegNetX.
"""

from itertools import accumulate, groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trainables.backbones._stage_checks import drop_rates
from trainables.counting.counts import Counts, Tally, out_side

if TYPE_CHECKING:
    from torch import nn

FEATURES = ("map",)
TRACED = False

QUANTUM = 8
"""Widths are multiples of it before they are adjusted to their groups."""


def build(
    *,
    classes: int,
    channels: int,
    resolution: int,
    depth: int,
    w0: int,
    slope: float,
    multiplier: float,
    group_width: int,
    squeeze_excite: float,
    stem_width: int = 32,
    stem_stride: int = 2,
    neck: int = 0,
    dropout: float = 0.0,
    stochastic_depth: float = 0.0,
) -> "nn.Module":
    """Build a network.

    Args:
        classes: outputs of the classifier.
        channels: channels of the input image.
        resolution: side of the input image, pixels; kept in ``default_cfg``.
        depth: number of blocks.
        w0, slope, multiplier: width of block j, from 0, is w0 times the power of the multiplier that is nearest to w0 +
            slope j. Blocks of one width are a stage, the first block of which halves the map.
        group_width: channels of a group of the 3x3 convolutions; widths are rounded to multiples of it.
        squeeze_excite: width of a block's squeeze-excite layers over that of its input; 0 leaves them out.
        stem_width, stem_stride: of the stem's 3x3 convolution.
        neck: width of a hidden layer below the classifier, see ``_neck``; 0 is none.
        dropout: probability before the classifier.
        stochastic_depth: probability of skipping the last block; rises linearly from 0 at the first.

    Raises:
        ValueError: a rule that gives no widths.
    """
    from timm.layers import ConvNormAct
    from timm.models.regnet import _init_weights
    from torch import nn

    from trainables.backbones._stages import Stages

    if depth < 1 or w0 < QUANTUM or w0 % QUANTUM or slope < 0 or multiplier <= 1:
        raise ValueError(
            f"a regnet's depth is at least 1, w0 a multiple of {QUANTUM}, slope at least 0 and multiplier above 1, "
            f"given {depth}, {w0}, {slope} and {multiplier}"
        )
    rule_D, width_D = widths(np.arange(depth), w0, slope, multiplier, group_width)
    network = Stages(
        ConvNormAct(channels, stem_width, 3, stride=stem_stride),
        _stages(rule_D.tolist(), width_D.tolist(), stem_width, group_width, squeeze_excite, stochastic_depth),
        nn.Identity(),
        int(width_D[-1]),
        classes=classes,
        channels=channels,
        resolution=resolution,
        neck=neck,
        dropout=dropout,
    )
    for name, module in network.named_modules():
        _init_weights(module, name, zero_init_last=True)
    return network


def _stages(
    rule: list[int], width: list[int], inputs: int, group_width: int, squeeze_excite: float, stochastic_depth: float
) -> "list[nn.Module]":
    """A stage of timm for each width of the rule."""
    from timm.models.regnet import RegStage

    counts = [len(list(blocks)) for _, blocks in groupby(rule)]
    ends = [end - 1 for end in accumulate(counts)]
    sources = [inputs, *(width[end] for end in ends)]
    return [
        RegStage(
            depth=count,
            in_chs=source,
            out_chs=width[end],
            stride=2,
            dilation=1,
            drop_path_rates=rates,
            group_size=min(group_width, rule[end]),
            bottle_ratio=1.0,
            se_ratio=squeeze_excite,
        )
        for count, end, source, rates in zip(counts, ends, sources, drop_rates(counts, stochastic_depth), strict=False)
    ]


def widths(
    block: Any, w0: Any, slope: Any, multiplier: Any, group_width: Any
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Widths of blocks by the rule (equations 2 to 4), and adjusted to whole groups; of arrays that broadcast."""
    exponent = np.rint(np.log((w0 + slope * block) / w0) / np.log(multiplier))
    rule = np.rint(w0 * np.power(np.asarray(multiplier, dtype=np.float64), exponent) / QUANTUM) * QUANTUM
    group = np.minimum(group_width, rule)
    return rule.astype(np.int64), (np.rint(rule / group) * group).astype(np.int64)


def cost(
    *,
    classes: int,
    channels: int,
    resolution: Any,
    depth: Any,
    w0: Any,
    slope: Any,
    multiplier: Any,
    group_width: Any,
    squeeze_excite: Any,
    stem_width: Any = 32,
    stem_stride: Any = 2,
    neck: Any = 0,
) -> Counts:
    """Exact counts of N networks; takes ``build``'s keywords with arrays of shape (N,) in place of numbers."""
    tally = Tally()
    side = out_side(resolution, 3, stem_stride, 1)
    tally.conv(channels, stem_width, 3, side)
    inputs: Any = stem_width
    before: Any = 0
    stages: Any = 0
    for block in range(int(np.max(depth, initial=0))):
        there = np.less(block, depth)
        rule, width = widths(block, w0, slope, multiplier, group_width)
        first = there & np.not_equal(rule, before)
        side_in, side = side, np.where(first, out_side(side, 3, 2, 1), side)
        group = np.minimum(group_width, rule)
        tally.conv(inputs, width, 1, side_in, times=there)
        tally.conv(width, width, 3, side, groups=width // group, times=there)
        squeezed = np.rint(inputs * np.asarray(squeeze_excite)).astype(np.int64)
        tally.linear(width, squeezed, times=there & np.greater(squeeze_excite, 0))
        tally.linear(squeezed, width, times=there & np.greater(squeeze_excite, 0))
        tally.conv(width, width, 1, side, times=there)
        tally.conv(inputs, width, 1, side, times=first | (there & np.not_equal(inputs, width)))
        inputs, before, stages = np.where(there, width, inputs), np.where(there, rule, before), stages + first
    tally.linear(tally.neck(inputs, neck), classes)
    return tally.counts(resolution, {"depth": depth, "stages": stages})

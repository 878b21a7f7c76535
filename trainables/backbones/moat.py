"""MOAT: inverted residuals, of which those of late stages are followed by attention in place of a perceptron.

Yang et al., 2023 (https://arxiv.org/abs/2210.01820). Own writing; the published sizes have the parameters of the
authors' networks, with and without a bias of positions.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.backbones._block_costs import add_attention
from trainables.backbones._stage_checks import check_heads, check_side, check_stages, drop_rates
from trainables.counting.counts import Counts, Tally, out_side

if TYPE_CHECKING:
    from torch import nn

FEATURES = ("tokens",)
TRACED = False

HEAD_WIDTH = 32
"""Channels of one attention head, in all published sizes."""

POSITIONS = ("bias", "none")


def build(
    *,
    classes: int,
    channels: int,
    resolution: int,
    stem_width: int,
    width: Sequence[int],
    depth: Sequence[int],
    window: Sequence[int],
    expansion: int,
    positions: str,
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
        stem_width: channels of the stem's two 3x3 convolutions.
        width, depth: channels and number of blocks of each stage; every stage halves the map.
        window: side of the attention windows of each stage in positions, of which the map's side is the most; 0 has no
            attention, but squeeze-excite layers: MBConv blocks in place of MOAT blocks.
        expansion: inner width of a block over its output.
        positions: ``bias``, a learned number for every offset of each head, or ``none``.
        stem_stride: pixels to a position of the stem's map, 1 or 2.
        neck: width of a hidden layer below the classifier, see ``_neck``; 0 is none.
        dropout: probability before the classifier.
        stochastic_depth: probability of skipping the last block; falls linearly to 0 at the first.

    Raises:
        ValueError: lists of disagreeing lengths, a stage with attention whose width is no multiple of 32, unknown
            positions or stride, or an image too small for the strides.
    """
    from torch import nn

    from trainables.backbones._blocks import map_norm
    from trainables.backbones._moat import Convolutions, Windowed, stem
    from trainables.backbones._stages import Stages

    check_stages("moat", width=width, depth=depth, window=window)
    check_heads("moat", [channels for channels, side in zip(width, window, strict=True) if side], HEAD_WIDTH)
    if positions not in POSITIONS or stem_stride not in (1, 2):
        raise ValueError(
            f"a moat's positions are {' or '.join(POSITIONS)} and its stem_stride 1 or 2, "
            f"given {positions} and {stem_stride}"
        )
    check_side(resolution, [stem_stride] + [2] * len(width))
    stages, inputs, side = [], stem_width, out_side(resolution, 3, stem_stride, 1)
    for outputs, largest, rates in zip(width, window, drop_rates(depth, stochastic_depth), strict=True):
        side = out_side(side, 3, 2, 1)
        blocks = []
        for number, rate in enumerate(rates):
            convolutions = Convolutions(
                inputs, outputs, expansion, stride=1 if number else 2, excited=not largest, drop=rate
            )
            attention = Windowed(outputs, min(largest, side), positions == "bias", rate) if largest else nn.Identity()
            blocks.append(nn.Sequential(convolutions, attention))
            inputs = outputs
        stages.append(nn.Sequential(*blocks))
    return Stages(
        stem(channels, stem_width, stem_stride),
        stages,
        map_norm(width[-1]),
        width[-1],
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
    stem_width: Any,
    width: Any,
    depth: Any,
    window: Any,
    expansion: Any,
    positions: Any,
    stem_stride: Any,
    neck: Any = 0,
) -> Counts:
    """Exact counts of N networks; takes ``build``'s keywords with arrays of shape (N,) in place of numbers."""
    tally, marks = Tally(), []
    side = out_side(resolution, 3, stem_stride, 1)
    tally.conv(channels, stem_width, 3, side, bias=True)
    tally.conv(stem_width, stem_width, 3, side, bias=True, norm=False)
    inputs, biased = stem_width, np.equal(positions, "bias")
    for outputs, blocks, largest in zip(width, depth, window, strict=True):
        marks.append(tally.macs)
        side_in, side = side, out_side(side, 3, 2, 1)
        excited = np.equal(largest, 0)
        tally.linear(inputs, outputs, positions=side * side, times=np.not_equal(inputs, outputs))
        _add_convolutions(tally, inputs, outputs, expansion, side_in, side, excited, times=1)
        _add_convolutions(tally, outputs, outputs, expansion, side, side, excited, times=blocks - 1)
        _add_windows(tally, outputs, side, np.maximum(np.minimum(largest, side), 1), biased, times=blocks * ~excited)
        inputs = outputs
    marks.append(tally.macs)
    tally.params = tally.params + 2 * inputs  # the last map's layer norm
    tally.linear(tally.neck(inputs, neck), classes)
    features: dict[str, Any] = {"depth": sum(depth), "attention": sum(np.greater(side, 0) for side in window)}
    for stage, (before, after) in enumerate(pairwise(marks)):
        features[f"macs_share.{stage}"] = (after - before) / tally.macs
    return tally.counts(resolution, features)


def squeezed(width: Any) -> Any:
    """Width of a squeeze-excite layer: a quarter of what leaves the block, not of its inner width."""
    return np.maximum(width // 4, 1)


def _add_convolutions(
    tally: Tally, inputs: Any, outputs: Any, expansion: Any, side_in: Any, side: Any, excited: Any, *, times: Any
) -> None:
    """Batch norm, 1x1 with batch norm, depthwise (which strides) with batch norm, squeeze-excite, 1x1 with bias."""
    middle = expansion * outputs
    tally.params = tally.params + 2 * inputs * times
    tally.conv(inputs, middle, 1, side_in, times=times)
    tally.depthwise(middle, 3, side, times=times)
    tally.linear(middle, squeezed(outputs), times=times * excited)
    tally.linear(squeezed(outputs), middle, times=times * excited)
    tally.linear(middle, outputs, positions=side * side, times=times)


def _add_windows(tally: Tally, width: Any, side: Any, window: Any, biased: Any, *, times: Any) -> None:
    """Layer norm and attention in windows, to whole ones of which the map is padded, and its bias."""
    windows = (-(-side // window)) ** 2
    add_attention(tally, width, window * window, groups=windows, times=times)
    tally.params = tally.params + (2 * window - 1) ** 2 * (width // HEAD_WIDTH) * biased * times

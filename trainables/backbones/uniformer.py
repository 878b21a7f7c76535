"""UniFormer: blocks that mix neighbours by a learned convolution, then blocks of attention over the whole map.

Li et al., 2022 (https://arxiv.org/abs/2201.04676), in the image form of https://arxiv.org/abs/2201.09450. Own writing
of their equations 3 to 6; the published sizes have the parameters of the authors' networks.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.backbones._block_costs import add_attention, add_perceptron
from trainables.backbones._stage_checks import check_heads, check_side, check_stages, drop_rates
from trainables.counting.counts import Counts, Tally, out_side

if TYPE_CHECKING:
    from torch import nn

FEATURES = ("tokens",)
TRACED = False

STEMS = ("patch", "conv")
STEM_STRIDES = {1: (1, 1), 2: (2, 1), 4: (2, 2)}
"""Of the two convolutions of a convolutional stem, by the stride of the stem."""


def build(
    *,
    classes: int,
    channels: int,
    resolution: int,
    width: Sequence[int],
    depth: Sequence[int],
    switch: int,
    local_kernel: int,
    head_width: int,
    mlp_ratio: float,
    stem: str,
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
        width, depth: channels and number of blocks of each stage; every stage but the first halves the map.
        switch: the first stage whose blocks are of attention, counted from 0; the number of stages is none.
        local_kernel: side of the neighbourhood that the local blocks mix, odd (5 in the paper).
        head_width: channels of one attention head; divides the widths from ``switch`` on.
        mlp_ratio: hidden width of a block's perceptron over its width.
        stem: ``patch``, patches that do not overlap and layer norms, or ``conv``, 3x3 convolutions and batch norms;
            also between the stages.
        stem_stride: pixels to a position of the first map: 1, 2 or 4.
        neck: width of a hidden layer below the classifier, see ``_neck``; 0 is none.
        dropout: probability before the classifier.
        stochastic_depth: probability of skipping the last block; falls linearly to 0 at the first.

    Raises:
        ValueError: lists of disagreeing lengths, an unknown stem, an even kernel, a width that its heads do not fill,
            or an image too small for the strides.
    """
    from torch import nn

    from trainables.backbones._stages import Stages
    from trainables.backbones._uniformer import Global, Local, first_map, smaller

    check_stages("uniformer", width=width, depth=depth)
    if stem not in STEMS or stem_stride not in STEM_STRIDES:
        raise ValueError(
            f"a uniformer's stem is {' or '.join(STEMS)} and its stem_stride 1, 2 or 4, given {stem} and {stem_stride}"
        )
    if local_kernel % 2 == 0:
        raise ValueError(f"local_kernel of a uniformer is odd, given {local_kernel}")
    check_heads("uniformer", width[switch:], head_width)
    check_side(resolution, [stem_stride] + [2] * (len(width) - 1))
    stages = []
    for stage, rates in enumerate(drop_rates(depth, stochastic_depth)):
        channels_here = width[stage]
        blocks = [
            Local(channels_here, local_kernel, mlp_ratio, rate)
            if stage < switch
            else Global(channels_here, head_width, mlp_ratio, rate)
            for rate in rates
        ]
        first = [smaller(stem, width[stage - 1], channels_here)] if stage else []
        stages.append(nn.Sequential(*first, *blocks))
    return Stages(
        first_map(stem, channels, width[0], stem_stride),
        stages,
        nn.BatchNorm2d(width[-1]),
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
    width: Any,
    depth: Any,
    switch: Any,
    local_kernel: Any,
    head_width: Any,
    mlp_ratio: Any,
    stem: Any,
    stem_stride: Any,
    neck: Any = 0,
) -> Counts:
    """Exact counts of N networks; takes ``build``'s keywords with arrays of shape (N,) in place of numbers."""
    del head_width  # heads share the width, so how many there are changes no count
    tally, marks = Tally(), []
    patches = np.equal(stem, "patch")
    side = _add_stem(tally, channels, width[0], resolution, stem_stride, patches)
    for stage, (channels_here, blocks) in enumerate(zip(width, depth, strict=True)):
        marks.append(tally.macs)
        if stage:
            side = -(-side // 2)  # of whole patches, and of convolutions with padding
            kernel = np.where(patches, 2, 3)
            tally.conv(width[stage - 1], channels_here, kernel, side, bias=True)
        positions = side * side
        tally.conv(channels_here, channels_here, 3, side, groups=channels_here, bias=True, norm=False, times=blocks)
        local = blocks * np.less(stage, switch)
        _add_mixing(tally, channels_here, local_kernel, side, times=local)
        add_attention(tally, channels_here, positions, times=blocks - local)
        add_perceptron(tally, channels_here, mlp_ratio, positions, times=blocks)
    marks.append(tally.macs)
    tally.params = tally.params + 2 * width[-1]  # the last map's batch norm
    tally.linear(tally.neck(width[-1], neck), classes)
    features: dict[str, Any] = {"depth": sum(depth), "switch": switch}
    for stage, (before, after) in enumerate(pairwise(marks)):
        features[f"macs_share.{stage}"] = (after - before) / tally.macs
    return tally.counts(resolution, features)


def _add_stem(tally: Tally, channels: int, width: Any, resolution: Any, stride: Any, patches: Any) -> Any:
    """Side of the first map."""
    side = -(-resolution // stride)
    tally.conv(channels, width, stride, side, bias=True, times=patches)
    first_side = out_side(resolution, 3, np.where(np.greater(stride, 1), 2, 1), 1)
    tally.conv(channels, width // 2, 3, first_side, bias=True, times=~patches)
    tally.conv(width // 2, width, 3, side, bias=True, times=~patches)
    return side


def _add_mixing(tally: Tally, width: Any, kernel: Any, side: Any, *, times: Any) -> None:
    """Batch norm, 1x1, depthwise and 1x1 convolution, each with a bias."""
    tally.params = tally.params + 2 * width * times
    tally.linear(width, width, positions=side * side, times=2 * times)
    tally.conv(width, width, kernel, side, groups=width, bias=True, norm=False, times=times)

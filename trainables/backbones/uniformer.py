"""UniFormer: blocks that mix neighbours by a learned convolution, then blocks of attention over the whole map.

Li et al., 2022 (https://arxiv.org/abs/2201.04676), in the image form of https://arxiv.org/abs/2201.09450 and in the
clip form of the former, whose kernels and attention reach over frames. Own writing of their equations 3 to 6; the
published sizes of the image form have the parameters of the authors' networks. They have no clip form with convolutions
for patches: ours reaches over time in its first convolution, as the patches do.
"""

from collections.abc import Sequence
from functools import partial
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
FRAME_REACH, FRAME_STRIDE = 3, 2
"""Frames that a position of a clip's first map sees, and from one to the next, as published."""


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
    frames: int = 1,
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
        frames: of a clip, whose channels are those of one frame after the other; 1 is the image form, which sees all
            channels as those of one image.
        neck: width of a hidden layer below the classifier, see ``_neck``; 0 is none.
        dropout: probability before the classifier.
        stochastic_depth: probability of skipping the last block; falls linearly to 0 at the first.

    Raises:
        ValueError: lists of disagreeing lengths, an unknown stem, an even kernel, a width that its heads do not fill,
            an image too small for the strides, or frames that do not divide the channels.
    """
    from torch import nn

    from trainables.backbones._frames import ClipStages
    from trainables.backbones._stages import Stages
    from trainables.backbones._uniformer import Global, Local, first_map, map_batch_norm, smaller

    check_stages("uniformer", width=width, depth=depth)
    if stem not in STEMS or stem_stride not in STEM_STRIDES:
        raise ValueError(
            f"a uniformer's stem is {' or '.join(STEMS)} and its stem_stride 1, 2 or 4, given {stem} and {stem_stride}"
        )
    if local_kernel % 2 == 0:
        raise ValueError(f"local_kernel of a uniformer is odd, given {local_kernel}")
    check_heads("uniformer", width[switch:], head_width)
    check_side(resolution, [stem_stride] + [2] * (len(width) - 1))
    if frames < 1 or channels % frames:
        raise ValueError(
            f"architecture.frames {frames} of a uniformer does not divide the {channels} channels of the data; leave "
            "out the values that do not, or give clips of as many frames (docs/clips.md)"
        )
    clip, stages = frames > 1, []
    for stage, rates in enumerate(drop_rates(depth, stochastic_depth)):
        channels_here = width[stage]
        blocks = [
            Local(channels_here, local_kernel, mlp_ratio, rate, clip=clip)
            if stage < switch
            else Global(channels_here, head_width, mlp_ratio, rate, clip=clip)
            for rate in rates
        ]
        first = [smaller(stem, width[stage - 1], channels_here, clip=clip)] if stage else []
        stages.append(nn.Sequential(*first, *blocks))
    form = partial(ClipStages, frames=frames) if clip else Stages
    return form(
        first_map(stem, channels // frames, width[0], stem_stride, clip=clip),
        stages,
        map_batch_norm(width[-1], clip=clip),
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
    frames: Any = 1,
    neck: Any = 0,
) -> Counts:
    """Exact counts of N networks; takes ``build``'s keywords with arrays of shape (N,) in place of numbers."""
    del head_width  # heads share the width, so how many there are changes no count
    tally, marks = Tally(), []
    patches, clip = np.equal(stem, "patch"), np.greater(frames, 1)
    side = _add_stem(tally, channels // frames, width[0], resolution, stem_stride, patches, frames)
    steps = np.where(clip, out_side(frames, FRAME_REACH, FRAME_STRIDE, FRAME_REACH // 2), 1)
    for stage, (channels_here, blocks) in enumerate(zip(width, depth, strict=True)):
        marks.append(tally.macs)
        if stage:
            side = -(-side // 2)  # of whole patches, and of convolutions with padding
            weight = np.where(patches, 2, 3) ** 2 * width[stage - 1] * channels_here
            _add_normalised(tally, weight, channels_here, steps * side * side)
        positions = steps * side * side
        _add_depthwise(tally, channels_here, 3, clip, positions, times=blocks)
        local = blocks * np.less(stage, switch)
        tally.params = tally.params + 2 * channels_here * local  # the batch norm of a local block's mixing
        tally.linear(channels_here, channels_here, positions=positions, times=2 * local)
        _add_depthwise(tally, channels_here, local_kernel, clip, positions, times=local)
        add_attention(tally, channels_here, positions, times=blocks - local)
        add_perceptron(tally, channels_here, mlp_ratio, positions, times=blocks)
    marks.append(tally.macs)
    tally.params = tally.params + 2 * width[-1]  # the last map's batch norm
    tally.linear(tally.neck(width[-1], neck), classes)
    features: dict[str, Any] = {"depth": sum(depth), "switch": switch}
    for stage, (before, after) in enumerate(pairwise(marks)):
        features[f"macs_share.{stage}"] = (after - before) / tally.macs
    return tally.counts(resolution, features)


def _add_stem(tally: Tally, channels: Any, width: Any, resolution: Any, stride: Any, patches: Any, frames: Any) -> Any:
    """Side of the first map."""
    side = -(-resolution // stride)
    clip = np.greater(frames, 1)
    reach = np.where(clip, FRAME_REACH, 1)
    steps = np.where(clip, out_side(frames, FRAME_REACH, FRAME_STRIDE, FRAME_REACH // 2), 1)
    _add_normalised(tally, reach * stride**2 * channels * width, width, steps * side**2, times=patches)
    first_side = out_side(resolution, 3, np.where(np.greater(stride, 1), 2, 1), 1)
    half = width // 2
    _add_normalised(tally, reach * 9 * channels * half, half, steps * first_side**2, times=~patches)
    _add_normalised(tally, 9 * half * width, width, steps * side**2, times=~patches)
    return side


def _add_normalised(tally: Tally, weight: Any, outputs: Any, positions: Any, *, times: Any = 1) -> None:
    """A convolution with a bias, and the norm of its outputs."""
    tally.add(weight=weight, positions=positions, outputs=outputs, others=3 * outputs, times=times)


def _add_depthwise(tally: Tally, width: Any, kernel: Any, clip: Any, positions: Any, *, times: Any) -> None:
    """A depthwise convolution with a bias, whose kernel reaches as far in time as in space."""
    weight = width * kernel ** np.where(clip, 3, 2)
    tally.add(weight=weight, positions=positions, outputs=width, others=width, times=times)

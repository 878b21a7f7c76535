"""UniFormer: blocks that mix neighbours by a learned convolution, then blocks of attention over the whole map.

Li et al., 2022 (https://arxiv.org/abs/2201.04676), in the image form of https://arxiv.org/abs/2201.09450. Own writing
of their equations 3 to 6; the published sizes have the parameters of the authors' networks.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.backbones._blocks import Attention, Perceptron, add_attention, add_perceptron, drop_path, map_norm
from trainables.backbones._stages import Stages, check_heads, check_side, check_stages, drop_rates
from trainables.counting.counts import Counts, Tally, out_side

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
) -> nn.Module:
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
            _Local(channels_here, local_kernel, mlp_ratio, rate)
            if stage < switch
            else _Global(channels_here, head_width, mlp_ratio, rate)
            for rate in rates
        ]
        first = [_smaller(stem, width[stage - 1], channels_here)] if stage else []
        stages.append(nn.Sequential(*first, *blocks))
    return Stages(
        _stem(stem, channels, width[0], stem_stride),
        stages,
        nn.BatchNorm2d(width[-1]),
        width[-1],
        classes=classes,
        channels=channels,
        resolution=resolution,
        neck=neck,
        dropout=dropout,
    )


class _Patches(nn.Module):
    """Patches that do not overlap, of a map padded to whole ones, and their layer norm."""

    def __init__(self, inputs: int, outputs: int, side: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(inputs, outputs, side, side)
        self.norm = map_norm(outputs)
        self._side = side

    def forward(self, x_BCHW: Tensor) -> Tensor:
        missing = [-size % self._side for size in x_BCHW.shape[-2:]]
        normal: Tensor = self.norm(self.proj(F.pad(x_BCHW, (0, missing[1], 0, missing[0]))))
        return normal


def _convolution(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs)]


def _stem(kind: str, channels: int, width: int, stride: int) -> nn.Module:
    if kind == "patch":
        return _Patches(channels, width, stride)
    first, second = STEM_STRIDES[stride]
    return nn.Sequential(
        *_convolution(channels, width // 2, first), nn.GELU(), *_convolution(width // 2, width, second)
    )


def _smaller(kind: str, inputs: int, outputs: int) -> nn.Module:
    """Halves the map between two stages."""
    return _Patches(inputs, outputs, 2) if kind == "patch" else nn.Sequential(*_convolution(inputs, outputs, 2))


class _Local(nn.Module):
    """Position by a depthwise convolution, neighbours mixed by weights of their offset alone, perceptron."""

    def __init__(self, width: int, kernel: int, ratio: float, drop: float) -> None:
        super().__init__()
        hidden = int(width * ratio)
        self.position = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.mix = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.Conv2d(width, width, 1),
            nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width),
            nn.Conv2d(width, width, 1),
        )
        self.mlp = nn.Sequential(
            nn.BatchNorm2d(width), nn.Conv2d(width, hidden, 1), nn.GELU(), nn.Conv2d(hidden, width, 1)
        )
        self.drop = drop_path(drop)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = x_BCHW + self.position(x_BCHW)
        x_BCHW = x_BCHW + self.drop(self.mix(x_BCHW))
        out_BCHW: Tensor = x_BCHW + self.drop(self.mlp(x_BCHW))
        return out_BCHW


class _Global(nn.Module):
    """Position by a depthwise convolution, attention over all positions, perceptron."""

    def __init__(self, width: int, head_width: int, ratio: float, drop: float) -> None:
        super().__init__()
        self.position = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm1, self.attn = nn.LayerNorm(width, eps=1e-6), Attention(width, head_width)
        self.norm2, self.mlp = nn.LayerNorm(width, eps=1e-6), Perceptron(width, ratio)
        self.drop = drop_path(drop)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = x_BCHW + self.position(x_BCHW)
        x_BNC: Tensor = x_BCHW.flatten(2).transpose(1, 2)
        x_BNC = x_BNC + self.drop(self.attn(self.norm1(x_BNC)))
        x_BNC = x_BNC + self.drop(self.mlp(self.norm2(x_BNC)))
        return x_BNC.transpose(1, 2).reshape(x_BCHW.shape)


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

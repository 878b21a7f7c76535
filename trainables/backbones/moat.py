"""MOAT: inverted residuals, of which those of late stages are followed by attention in place of a perceptron.

Yang et al., 2023 (https://arxiv.org/abs/2210.01820). Own writing; the published sizes have the parameters of the
authors' networks, with and without a bias of positions.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.backbones._blocks import Attention, add_attention, drop_path, map_norm
from trainables.backbones._stages import Stages, check_heads, check_side, check_stages, drop_rates
from trainables.backbones._windows import from_windows, inside, into_windows
from trainables.counting.counts import Counts, Tally, out_side

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
) -> nn.Module:
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
            convolutions = _Convolutions(
                inputs, outputs, expansion, stride=1 if number else 2, excited=not largest, drop=rate
            )
            attention = _Windowed(outputs, min(largest, side), positions == "bias", rate) if largest else nn.Identity()
            blocks.append(nn.Sequential(convolutions, attention))
            inputs = outputs
        stages.append(nn.Sequential(*blocks))
    return Stages(
        _stem(channels, stem_width, stem_stride),
        stages,
        map_norm(width[-1]),
        width[-1],
        classes=classes,
        channels=channels,
        resolution=resolution,
        neck=neck,
        dropout=dropout,
    )


def _stem(channels: int, width: int, stride: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, stride, 1), nn.BatchNorm2d(width), nn.GELU(), nn.Conv2d(width, width, 3, 1, 1)
    )


class _Convolutions(nn.Module):
    """Inverted residual with its norm before it; the shortcut is pooled and projected where the shape changes."""

    def __init__(self, inputs: int, outputs: int, expansion: int, *, stride: int, excited: bool, drop: float) -> None:
        from timm.models._efficientnet_blocks import SqueezeExcite

        super().__init__()
        middle = expansion * outputs
        excite = SqueezeExcite(middle, rd_channels=_squeezed(outputs), act_layer=nn.GELU) if excited else nn.Identity()
        self.residual = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, middle, 1, bias=False),
            nn.BatchNorm2d(middle),
            nn.GELU(),
            nn.Conv2d(middle, middle, 3, stride, 1, groups=middle, bias=False),
            nn.BatchNorm2d(middle),
            nn.GELU(),
            excite,
            nn.Conv2d(middle, outputs, 1),
        )
        pool = nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False) if stride > 1 else nn.Identity()
        project = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.shortcut, self.drop = nn.Sequential(pool, project), drop_path(drop)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        out_BCHW: Tensor = self.shortcut(x_BCHW) + self.drop(self.residual(x_BCHW))
        return out_BCHW


class _Windowed(nn.Module):
    """Layer norm and attention within square windows, with a bias for every offset of positions."""

    def __init__(self, width: int, window: int, biased: bool, drop: float) -> None:
        super().__init__()
        self.norm, self.attn, self.drop = nn.LayerNorm(width), Attention(width, HEAD_WIDTH), drop_path(drop)
        offsets = 2 * window - 1
        self.bias = nn.Parameter(torch.zeros(width // HEAD_WIDTH, offsets, offsets)) if biased else None
        self._window = window

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BHWC: Tensor = x_BCHW.permute(0, 2, 3, 1)
        height, width = x_BHWC.shape[1:3]
        side = min(self._window, max(height, width))
        window_SNC = into_windows(self.norm(x_BHWC), side, side)
        mixed_SNC = self.attn(window_SNC, self._added(height, width, side, window_SNC))
        x_BHWC = x_BHWC + self.drop(from_windows(mixed_SNC, height, width, side, side))
        return x_BHWC.permute(0, 3, 1, 2)

    def _added(self, height: int, width: int, side: int, window_SNC: Tensor) -> Tensor | None:
        """What is added to the scores: the bias of positions, and minus infinity for padding."""
        added = None if self.bias is None else bias_of_offsets(self.bias, side)
        shown = inside(height, width, side, side, window_SNC)
        if shown is None:
            return added
        hidden = window_SNC.new_zeros(shown.shape).masked_fill(~shown, -torch.inf)
        return hidden if added is None else hidden + added


def bias_of_offsets(table_HOO: Tensor, side: int) -> Tensor:
    """Bias of every pair of positions of a window, (heads, side x side, side x side); interpolated to other sides."""
    if table_HOO.shape[1] != 2 * side - 1:
        table_HOO = F.interpolate(table_HOO[None], size=2 * side - 1, mode="bicubic", align_corners=True)[0]
    line = torch.arange(side, device=table_HOO.device)
    offset = line[:, None] - line + side - 1
    pairs_HQQKK = table_HOO[:, offset[:, None, :, None], offset[None, :, None, :]]
    return pairs_HQQKK.reshape(len(table_HOO), side * side, side * side)


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


def _squeezed(width: Any) -> Any:
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
    tally.linear(middle, _squeezed(outputs), times=times * excited)
    tally.linear(_squeezed(outputs), middle, times=times * excited)
    tally.linear(middle, outputs, positions=side * side, times=times)


def _add_windows(tally: Tally, width: Any, side: Any, window: Any, biased: Any, *, times: Any) -> None:
    """Layer norm and attention in windows, to whole ones of which the map is padded, and its bias."""
    windows = (-(-side // window)) ** 2
    add_attention(tally, width, window * window, groups=windows, times=times)
    tally.params = tally.params + (2 * window - 1) ** 2 * (width // HEAD_WIDTH) * biased * times

"""MBConv networks: MobileNetV3's blocks and pooled head, with free widths, depths, kernels and expansions per stage.

Howard et al., 2019 (https://arxiv.org/abs/1905.02244); FBNetV3: Dai et al., 2021 (https://arxiv.org/abs/2006.02049).
Built from timm's ``MobileNetV3`` so that weights, features and head behave as any timm model's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.counting.counts import Counts, Tally, make_divisible, out_side

if TYPE_CHECKING:
    from torch import nn

SQUEEZE = 0.25
"""Width of the squeeze-excite bottleneck as a share of the block's input."""


TRACED = False
FEATURES = ("map",)


def build(
    *,
    classes: int,
    channels: int,
    resolution: int,
    stem_width: int,
    width: Sequence[int],
    depth: Sequence[int],
    kernel: Sequence[int],
    expansion: Sequence[int],
    stride: Sequence[int],
    squeeze_excite: Sequence[bool],
    activation: str,
    head_expansion: int,
    head_width: int,
    stem_stride: int = 2,
    kernel_rest: Sequence[int] | None = None,
    expansion_rest: Sequence[int] | None = None,
    reduced_padding: Sequence[bool] | None = None,
    neck: int = 0,
    dropout: float = 0.0,
    stochastic_depth: float = 0.0,
) -> "nn.Module":
    """Build a network.

    Args:
        classes: outputs of the classifier.
        channels: channels of the input image.
        resolution: side of the input image, pixels; kept in ``default_cfg``.
        stem_width, stem_stride: output channels and stride of the 3x3 stem.
        width, depth, stride: output channels, number of blocks and stride of the first block of each stage.
        kernel, expansion: those of the first block of each stage; an expansion of 1 leaves the expanding layer out.
        kernel_rest, expansion_rest: those of the other blocks; the first block's unless given.
        squeeze_excite: whether the blocks of each stage have a squeeze-excite layer.
        reduced_padding: whether the first block of each stage pads its depthwise convolution by one pixel less.
        activation: name of a timm activation.
        head_expansion: the last 1x1 convolution before the pooling has this many times the last stage's width.
        head_width: features between the pooling and the classifier.
        neck: width of a hidden layer below the classifier, see ``_neck``; 0 is none.
        dropout: probability before the classifier.
        stochastic_depth: probability of skipping the last block; falls linearly to 0 at the first.

    Raises:
        ValueError: lists of different length, or an image too small for the strides.
    """
    from timm.layers import get_act_layer
    from timm.models._efficientnet_blocks import SqueezeExcite
    from timm.models._efficientnet_builder import round_channels
    from timm.models.mobilenetv3 import MobileNetV3

    from trainables.backbones._neck import NeckedMobileNetV3

    blocks = _blocks(
        stem_width=stem_width, width=width, depth=depth, kernel=kernel, expansion=expansion, stride=stride,
        squeeze_excite=squeeze_excite, kernel_rest=kernel_rest, expansion_rest=expansion_rest,
        reduced_padding=reduced_padding,
    )  # fmt: skip
    if _sides(resolution, stem_stride, blocks)[-1] < 1:
        raise ValueError(f"an image of {resolution} pixels is too small for the strides {[stem_stride, *stride]}")
    network = (NeckedMobileNetV3 if neck else MobileNetV3)(
        block_args=[*_timm_stages(blocks), [_expanding_head(width[-1] * head_expansion)]],
        num_classes=classes,
        in_chans=channels,
        stem_size=stem_width,
        num_features=head_width,
        head_bias=False,
        se_layer=partial(
            SqueezeExcite, gate_layer="hard_sigmoid", rd_round_fn=partial(round_channels, round_limit=0.95)
        ),
        se_from_exp=False,
        act_layer=get_act_layer(activation),
        round_chs_fn=int,  # timm would make widths multiples of 8
        drop_rate=dropout,
        drop_path_rate=stochastic_depth,
    )
    if neck:
        network.add_neck(neck)
    network.neck_width = neck
    network.conv_stem.stride = (stem_stride, stem_stride)
    for stage, first in zip(network.blocks, blocks[::2], strict=False):
        stage[0].conv_dw.padding = (first.padding, first.padding)
    network.default_cfg = {"input_size": (channels, resolution, resolution), "num_classes": classes}
    built: nn.Module = network
    return built


def cost(
    *,
    classes: int,
    channels: int,
    resolution: Any,
    stem_width: Any,
    head_expansion: Any,
    head_width: Any,
    stem_stride: Any = 2,
    neck: Any = 0,
    activation: Any = None,
    **stages: Any,
) -> Counts:
    """Exact counts of N networks; takes ``build``'s keywords with arrays of shape (N,) in place of numbers."""
    del activation  # none changes a count
    blocks = _blocks(stem_width=stem_width, **stages)
    sides = _sides(resolution, stem_stride, blocks)
    tally = Tally()
    tally.conv(channels, stem_width, 3, sides[0])
    marks = [tally.macs]
    for block, side_in, side_out in zip(blocks, sides[:-1], sides[1:], strict=True):
        _add(tally, block, side_in, side_out)
        marks.append(tally.macs)
    expanded = blocks[-1].width * head_expansion
    tally.conv(blocks[-1].width, expanded, 1, sides[-1])
    tally.linear(expanded, head_width, bias=False)
    tally.linear(tally.neck(head_width, neck), classes)
    return tally.counts(resolution, _features(blocks, marks, tally.macs))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blocks:
    """``times`` equal blocks: expand (unless the expansion is 1), depthwise, squeeze-excite, project.

    Each is a number, or an array of shape (N,) with that of N networks.
    """

    times: Any
    inputs: Any
    width: Any
    kernel: Any
    expansion: Any
    stride: Any
    squeeze_excite: Any
    padding: Any


def _blocks(
    *,
    stem_width: Any,
    width: Sequence[Any],
    depth: Sequence[Any],
    kernel: Sequence[Any],
    expansion: Sequence[Any],
    stride: Sequence[Any],
    squeeze_excite: Sequence[Any],
    kernel_rest: Sequence[Any] | None = None,
    expansion_rest: Sequence[Any] | None = None,
    reduced_padding: Sequence[Any] | None = None,
) -> list[_Blocks]:
    """Two entries a stage, its first block and the others: all that ``build`` and ``cost`` know of the stages.

    Raises:
        ValueError: lists of different length.
    """
    reduced = reduced_padding or [0] * len(width)
    rest = (kernel_rest or kernel, expansion_rest or expansion)
    per_stage = (width, depth, kernel, expansion, stride, squeeze_excite, reduced, *rest)
    if len({len(values) for values in per_stage}) != 1:
        raise ValueError(
            f"a mobile network needs one value per stage in each list, given {[len(values) for values in per_stage]}"
        )
    blocks, inputs = [], stem_width
    for outputs, times, size, ratio, step, excites, less, size_rest, ratio_rest in zip(*per_stage, strict=True):
        common = {"width": outputs, "squeeze_excite": excites}
        first = {"kernel": size, "expansion": ratio, "stride": step, "padding": size // 2 - less}
        others = {"kernel": size_rest, "expansion": ratio_rest, "stride": 1, "padding": size_rest // 2}
        blocks.append(_Blocks(times=1, inputs=inputs, **first, **common))
        blocks.append(_Blocks(times=times - 1, inputs=outputs, **others, **common))
        inputs = outputs
    return blocks


def _sides(resolution: Any, stem_stride: Any, blocks: Sequence[_Blocks]) -> list[Any]:
    """Side of the map after the stem and after each entry of ``blocks``; only the first block of a stage changes it."""
    sides = [out_side(resolution, 3, stem_stride, 1)]
    for first in blocks[::2]:
        sides += [out_side(sides[-1], first.kernel, first.stride, first.padding)] * 2
    return sides


def _timm_stages(blocks: Sequence[_Blocks]) -> list[list[dict[str, Any]]]:
    """timm's description of every block of each stage."""
    return [
        [_timm_block(block) for block in (first, *[others] * others.times)]
        for first, others in zip(blocks[::2], blocks[1::2], strict=True)
    ]


def _timm_block(block: _Blocks) -> dict[str, Any]:
    described = {
        "out_chs": int(block.width),
        "stride": int(block.stride),
        "act_layer": None,
        "dw_kernel_size": int(block.kernel),
        "se_ratio": SQUEEZE if block.squeeze_excite else 0.0,
    }
    if block.expansion == 1:
        return {"block_type": "ds", **described}
    return {"block_type": "ir", "exp_ratio": float(block.expansion), **described}


def _expanding_head(width: int) -> dict[str, Any]:
    return {"block_type": "cn", "out_chs": int(width), "stride": 1, "act_layer": None, "kernel_size": 1}


def _add(tally: Tally, block: _Blocks, side_in: Any, side_out: Any) -> None:
    """What the blocks add, of which the first changes the map's side."""
    expands = np.not_equal(block.expansion, 1)
    middle = np.where(expands, make_divisible(block.inputs * np.asarray(block.expansion)), block.inputs)
    tally.conv(block.inputs, middle, 1, side_in, times=block.times * expands)
    tally.depthwise(middle, block.kernel, side_out, times=block.times)
    if np.any(block.squeeze_excite):
        excited = block.times * np.asarray(block.squeeze_excite, dtype=np.int64)
        squeezed = make_divisible(middle * (SQUEEZE / block.expansion), floor=0.95)
        tally.linear(middle, squeezed, times=excited)
        tally.linear(squeezed, middle, times=excited)
    tally.conv(middle, block.width, 1, side_out, times=block.times)


def _features(blocks: Sequence[_Blocks], marks: Sequence[Any], macs: Any) -> dict[str, Any]:
    """Further free facts; ``marks`` are the macs before each entry of ``blocks`` and after the last."""
    depth = sum(block.times for block in blocks)
    shares = enumerate(pairwise(marks[::2]))
    return {
        "depth": depth,
        "mean_kernel": sum(block.kernel * block.times for block in blocks) / depth,
        "mean_expansion": sum(block.expansion * block.times for block in blocks) / depth,
        **{f"macs_share.{stage}": (after - before) / macs for stage, (before, after) in shares},
    }

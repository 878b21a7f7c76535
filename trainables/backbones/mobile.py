"""MBConv networks: MobileNetV3's blocks and pooled head, with free widths, depths, kernels and expansions per stage.

Howard et al., 2019 (https://arxiv.org/abs/1905.02244); FBNetV3: Dai et al., 2021 (https://arxiv.org/abs/2006.02049).
Built from timm's ``MobileNetV3`` so that weights, features and head behave as any timm model's.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from torch import nn

from trainables.counting.counts import Counts, Tally, make_divisible, out_side

SQUEEZE = 0.25
"""Width of the squeeze-excite bottleneck as a share of the block's input."""


FEATURES = ("map",)
"""What objectives find in it: maps of convolutions, or tokens."""


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
) -> nn.Module:
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

    reduced = reduced_padding or [False] * len(width)
    rest = {"kernel": kernel_rest or kernel, "expansion": expansion_rest or expansion}
    per_stage = (width, depth, kernel, expansion, stride, squeeze_excite, reduced, *rest.values())
    if len({len(values) for values in per_stage}) != 1:
        raise ValueError(
            f"a mobile network needs one value per stage in each list, given {[len(v) for v in per_stage]}"
        )
    stages = [
        [
            _block(
                width=width[i],
                kernel=kernel[i] if first else rest["kernel"][i],
                expansion=expansion[i] if first else rest["expansion"][i],
                stride=stride[i] if first else 1,
                squeeze_excite=squeeze_excite[i],
            )
            for first in [True] + [False] * (depth[i] - 1)
        ]
        for i in range(len(width))
    ]
    rounding = partial(round_channels, round_limit=0.95)
    network = (NeckedMobileNetV3 if neck else MobileNetV3)(
        block_args=[*stages, [_expanding_head(width[-1] * head_expansion)]],
        num_classes=classes,
        in_chans=channels,
        stem_size=stem_width,
        num_features=head_width,
        head_bias=False,
        se_layer=partial(SqueezeExcite, gate_layer="hard_sigmoid", rd_round_fn=rounding),
        se_from_exp=False,
        act_layer=get_act_layer(activation),
        round_chs_fn=int,  # widths are built as given
        drop_rate=dropout,
        drop_path_rate=stochastic_depth,
    )
    if neck:
        network.add_neck(neck)
    network.neck_width = neck
    network.conv_stem.stride = (stem_stride, stem_stride)
    for stage, shrinks in zip(network.blocks, reduced, strict=False):
        if shrinks:
            stage[0].conv_dw.padding = tuple(p - 1 for p in stage[0].conv_dw.padding)
    network.default_cfg = {"input_size": (channels, resolution, resolution), "num_classes": classes}
    sides = _sides(resolution, stem_stride, kernel, stride, reduced)
    if sides[-1] < 1:
        raise ValueError(f"an image of {resolution} pixels is too small for the strides {[stem_stride, *stride]}")
    built: nn.Module = network
    return built


def _block(*, width: int, kernel: int, expansion: int, stride: int, squeeze_excite: bool) -> dict[str, Any]:
    block = {
        "out_chs": int(width),
        "stride": int(stride),
        "act_layer": None,
        "dw_kernel_size": int(kernel),
        "se_ratio": SQUEEZE if squeeze_excite else 0.0,
    }
    if expansion == 1:
        return {"block_type": "ds", **block}
    return {"block_type": "ir", "exp_ratio": float(expansion), **block}


def _expanding_head(width: int) -> dict[str, Any]:
    return {"block_type": "cn", "out_chs": int(width), "stride": 1, "act_layer": None, "kernel_size": 1}


def _sides(resolution: Any, stem_stride: Any, kernel: Any, stride: Any, reduced_padding: Any) -> list[Any]:
    """Side of the map after the stem and after the first block of each stage."""
    sides = [out_side(resolution, 3, stem_stride, 1)]
    for size, step, reduced in zip(kernel, stride, reduced_padding, strict=True):
        sides.append(out_side(sides[-1], size, step, size // 2 - reduced))
    return sides


def cost(*, resolution: Any, depth: Any, kernel: Any, expansion: Any, **architecture: Any) -> Counts:
    """Exact counts of N networks; takes ``build``'s keywords with arrays of shape (N,) in place of numbers."""
    given = {"resolution": resolution, "depth": depth, "kernel": kernel, "expansion": expansion, **architecture}
    tally, macs_per_stage = _tally(**given)
    blocks = sum(depth)
    kernel_rest = architecture.get("kernel_rest") or kernel
    expansion_rest = architecture.get("expansion_rest") or expansion
    features: dict[str, Any] = {
        "depth": blocks,
        "mean_kernel": _mean_over_blocks(depth, kernel, kernel_rest, blocks),
        "mean_expansion": _mean_over_blocks(depth, expansion, expansion_rest, blocks),
    }
    for stage, macs in enumerate(macs_per_stage):
        features[f"macs_share.{stage}"] = macs / tally.macs
    return tally.counts(resolution, features)


def _mean_over_blocks(depth: Any, first: Any, rest: Any, blocks: Any) -> Any:
    return sum(f + (n - 1) * r for n, f, r in zip(depth, first, rest, strict=True)) / blocks


def authors_counts(**architecture: Any) -> tuple[Any, Any]:
    """(macs, params) as FBNetV3's authors print them: pooled inputs are added to the macs, params are weights alone.

    Takes ``cost``'s keywords.
    """
    tally, _ = _tally(**architecture)
    return tally.macs + tally.pooled, tally.weights


def _tally(
    *,
    classes: int,
    channels: int,
    resolution: Any,
    stem_width: Any,
    width: Any,
    depth: Any,
    kernel: Any,
    expansion: Any,
    stride: Any,
    squeeze_excite: Any,
    head_expansion: Any,
    head_width: Any,
    stem_stride: Any = 2,
    kernel_rest: Any = None,
    expansion_rest: Any = None,
    reduced_padding: Any = None,
    neck: Any = 0,
    activation: Any = None,
) -> tuple[Tally, list[Any]]:
    """All layers of the networks, and the macs of each stage. No activation function changes a count."""
    del activation
    tally, macs_per_stage = Tally(), []
    reduced_padding = reduced_padding or [0] * len(width)
    sides = _sides(resolution, stem_stride, kernel, stride, reduced_padding)
    tally.conv(channels, stem_width, 3, sides[0])
    inputs = stem_width
    for i, outputs in enumerate(width):
        before = tally.macs
        first = {"kernel": kernel[i], "expansion": expansion[i], "squeeze_excite": squeeze_excite[i]}
        _add_blocks(tally, inputs, outputs, sides[i], sides[i + 1], **first, times=1)
        rest = {
            "kernel": (kernel_rest or kernel)[i],
            "expansion": (expansion_rest or expansion)[i],
            "squeeze_excite": squeeze_excite[i],
        }
        _add_blocks(tally, outputs, outputs, sides[i + 1], sides[i + 1], **rest, times=depth[i] - 1)
        macs_per_stage.append(tally.macs - before)
        inputs = outputs
    pooled = inputs * head_expansion
    tally.conv(inputs, pooled, 1, sides[-1])
    tally.pooled = tally.pooled + pooled * sides[-1] * sides[-1]
    tally.linear(pooled, head_width, bias=False)
    tally.pooled = tally.pooled + head_width  # the authors pool the head's 1x1 map once more
    tally.linear(tally.neck(head_width, neck), classes)
    return tally, macs_per_stage


def _add_blocks(
    tally: Tally,
    inputs: Any,
    outputs: Any,
    side_in: Any,
    side_out: Any,
    *,
    kernel: Any,
    expansion: Any,
    squeeze_excite: Any,
    times: Any,
) -> None:
    """``times`` equal blocks: expand (unless the expansion is 1), depthwise, squeeze-excite, project."""
    expands = np.not_equal(expansion, 1)
    middle = np.where(expands, make_divisible(inputs * np.asarray(expansion)), inputs)
    tally.conv(inputs, middle, 1, side_in, times=times * expands)
    tally.depthwise(middle, kernel, side_out, times=times)
    if np.any(squeeze_excite):
        excited = times * np.asarray(squeeze_excite, dtype=np.int64)
        squeezed = make_divisible(middle * (SQUEEZE / expansion), floor=0.95)
        tally.linear(middle, squeezed, times=excited)
        tally.linear(squeezed, middle, times=excited)
        tally.pooled = tally.pooled + middle * side_out * side_out * excited
    tally.conv(middle, outputs, 1, side_out, times=times)

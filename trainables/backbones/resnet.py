"""Bottleneck residual networks with the D stem and shortcuts and optional squeeze-excite: ResNet-RS and around it.

Bello et al., 2021 (https://arxiv.org/abs/2103.07579). Built from timm's ``ResNet``.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.counting.counts import Counts, Tally, make_divisible, out_side

if TYPE_CHECKING:
    from torch import nn

EXPANSION = 4
"""Output channels of a bottleneck block over its inner width."""


TRACED = False
FEATURES = ("map",)


def build(
    *,
    classes: int,
    channels: int,
    resolution: int,
    width: Sequence[int],
    depth: Sequence[int],
    stem_width: int,
    stem_pool: str,
    squeeze_excite: float,
    dropout: float = 0.0,
    stochastic_depth: float = 0.0,
) -> "nn.Module":
    """Build a network.

    Args:
        classes: outputs of the classifier.
        channels: channels of the input image.
        resolution: side of the input image, pixels; kept in ``default_cfg``.
        width, depth: inner width and number of the bottleneck blocks of each of the four stages.
        stem_width: width of the first two of the stem's three 3x3 convolutions; the third has twice as many channels.
        stem_pool: what halves the map after the stem, ``conv`` (ResNet-RS) or ``max``.
        squeeze_excite: width of the squeeze-excite bottleneck as a share of the block's output; 0 leaves it out.
        dropout: probability before the classifier.
        stochastic_depth: probability of skipping the last block; falls linearly to 0 at the first.

    Raises:
        ValueError: not one width and depth per stage, or an unknown ``stem_pool``.
    """
    from timm.layers import get_attn
    from timm.models.resnet import Bottleneck, ResNet

    if len(width) != len(depth):
        raise ValueError(f"a resnet needs as many widths as depths, given {list(width)} and {list(depth)}")
    if stem_pool not in ("conv", "max"):
        raise ValueError(f"stem_pool is 'conv' or 'max', given '{stem_pool}'")
    attention = {"attn_layer": partial(get_attn("se"), rd_ratio=squeeze_excite)} if squeeze_excite else {}
    network = ResNet(
        block=Bottleneck,
        layers=tuple(depth),
        channels=tuple(width),
        num_classes=classes,
        in_chans=channels,
        stem_width=stem_width,
        stem_type="deep",
        replace_stem_pool=stem_pool == "conv",
        avg_down=True,
        drop_rate=dropout,
        drop_path_rate=stochastic_depth,
        block_args=attention,
    )
    network.neck_width = 0
    network.default_cfg = {"input_size": (channels, resolution, resolution), "num_classes": classes}
    built: nn.Module = network
    return built


def cost(
    *,
    classes: int,
    channels: int,
    resolution: Any,
    width: Any,
    depth: Any,
    stem_width: Any,
    stem_pool: Any,
    squeeze_excite: Any,
) -> Counts:
    """Exact counts of N networks; takes ``build``'s keywords with arrays of shape (N,) in place of numbers."""
    tally, macs_per_stage = Tally(), []
    side = out_side(resolution, 3, 2, 1)
    inputs = 2 * stem_width
    for source, target in ((channels, stem_width), (stem_width, stem_width), (stem_width, inputs)):
        tally.conv(source, target, 3, side)
    side = out_side(side, 3, 2, 1)
    tally.conv(inputs, inputs, 3, side, times=np.equal(stem_pool, "conv"))
    for stage, (middle, blocks) in enumerate(zip(width, depth, strict=True)):
        before = tally.macs
        side_in, side = side, side if stage == 0 else out_side(side, 3, 2, 1)
        outputs = EXPANSION * middle
        projects = np.not_equal(inputs, outputs) if stage == 0 else 1  # a strided block always has a projected shortcut
        tally.conv(inputs, outputs, 1, side, times=projects)
        _add_blocks(tally, inputs, middle, side_in, side, squeeze_excite, times=1)
        _add_blocks(tally, outputs, middle, side, side, squeeze_excite, times=blocks - 1)
        macs_per_stage.append(tally.macs - before)
        inputs = outputs
    tally.linear(inputs, classes)
    features: dict[str, Any] = {"depth": sum(depth)}
    for stage, macs in enumerate(macs_per_stage):
        features[f"macs_share.{stage}"] = macs / tally.macs
    return tally.counts(resolution, features)


def _add_blocks(
    tally: Tally, inputs: Any, middle: Any, side_in: Any, side_out: Any, squeeze_excite: Any, *, times: Any
) -> None:
    """``times`` bottlenecks: 1x1, 3x3 (which strides), 1x1, squeeze-excite over the output."""
    outputs = EXPANSION * middle
    tally.conv(inputs, middle, 1, side_in, times=times)
    tally.conv(middle, middle, 3, side_out, times=times)
    tally.conv(middle, outputs, 1, side_out, times=times)
    excited = times * np.greater(squeeze_excite, 0)
    squeezed = make_divisible(outputs * np.asarray(squeeze_excite), floor=0.0)
    tally.linear(outputs, squeezed, times=excited)
    tally.linear(squeezed, outputs, times=excited)

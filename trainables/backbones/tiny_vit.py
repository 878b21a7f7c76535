"""TinyViT: an MBConv stage, then stages of windowed attention with a local convolution.

Wu et al., 2022 (https://arxiv.org/abs/2207.10666). Built from timm's ``TinyVit``.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from trainables.backbones._block_costs import add_perceptron
from trainables.counting.counts import Counts, Tally, out_side

if TYPE_CHECKING:
    from torch import nn

HEAD_WIDTH = 32
"""Channels of one attention head, in all published sizes."""


TRACED = False
FEATURES = ("tokens",)


def build(
    *,
    classes: int,
    channels: int,
    resolution: int,
    width: Sequence[int],
    depth: Sequence[int],
    window: Sequence[int],
    mlp_ratio: float,
    conv_expansion: int,
    neck: int = 0,
    dropout: float = 0.0,
    stochastic_depth: float = 0.0,
) -> "nn.Module":
    """Build a network.

    Args:
        classes: outputs of the classifier.
        channels: channels of the input image.
        resolution: side of the input image, pixels; kept in ``default_cfg``.
        width, depth: channels (multiples of 32) and number of blocks of each stage; the first is of MBConv blocks.
        window: side of the attention windows of each stage after the first, in positions of its map.
        mlp_ratio: hidden width of a block's perceptron over its width.
        conv_expansion: expansion of the MBConv blocks.
        neck: width of a hidden layer below the classifier, see ``_neck``; 0 is none.
        dropout: probability before the classifier.
        stochastic_depth: probability of skipping the last block; falls linearly to 0 at the first.

    Raises:
        ValueError: lists of disagreeing lengths, or a width that is no multiple of 32.
    """
    from timm.models.tiny_vit import TinyVit
    from torch import nn

    from trainables.backbones._neck import neck as build_neck

    if len(width) != len(depth) or len(window) != len(width) - 1:
        raise ValueError(
            "a tiny_vit needs as many widths as depths and a window for each stage but the first, "
            f"given {len(width)}, {len(depth)} and {len(window)}"
        )
    if any(channels_of_stage % HEAD_WIDTH for channels_of_stage in width):
        raise ValueError(f"widths of a tiny_vit are multiples of {HEAD_WIDTH}, given {list(width)}")
    network = TinyVit(
        in_chans=channels,
        num_classes=classes,
        embed_dims=tuple(width),
        depths=tuple(depth),
        num_heads=tuple(channels_of_stage // HEAD_WIDTH for channels_of_stage in width),
        window_sizes=(window[0], *window),  # timm lists one for the first stage too, which has no attention
        mlp_ratio=mlp_ratio,
        mbconv_expand_ratio=float(conv_expansion),
        drop_rate=dropout,
        drop_path_rate=stochastic_depth,
    )
    if neck:
        head = network.head
        head.pre_logits = build_neck(width[-1], neck)
        head.num_features = network.head_hidden_size = neck
        head.fc = nn.Linear(neck, classes)
    network.neck_width, network.num_prefix_tokens = neck, 0
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
    window: Any,
    mlp_ratio: Any,
    conv_expansion: Any,
    neck: Any = 0,
) -> Counts:
    """Exact counts of N networks; takes ``build``'s keywords with arrays of shape (N,) in place of numbers."""
    tally = Tally()
    side = out_side(resolution, 3, 2, 1)
    tally.conv(channels, width[0] // 2, 3, side)
    side = out_side(side, 3, 2, 1)
    tally.conv(width[0] // 2, width[0], 3, side)
    marks = [tally.macs]
    _add_mbconv(tally, width[0], conv_expansion, side, times=depth[0])
    marks.append(tally.macs)
    for stage in range(1, len(width)):
        inputs, outputs = width[stage - 1], width[stage]
        tally.conv(inputs, outputs, 1, side)
        side = out_side(side, 3, 2, 1)
        tally.depthwise(outputs, 3, side)
        tally.conv(outputs, outputs, 1, side)
        _add_attention(tally, outputs, side, window[stage - 1], times=depth[stage])
        tally.depthwise(outputs, 3, side, times=depth[stage])
        add_perceptron(tally, outputs, mlp_ratio, side * side, times=depth[stage])
        marks.append(tally.macs)
    tally.params = tally.params + 2 * width[-1]  # the head's layer norm
    tally.linear(tally.neck(width[-1], neck), classes)
    features: dict[str, Any] = {"depth": sum(depth), "mean_window": sum(window) / len(window)}
    for stage, (before, after) in enumerate(pairwise(marks)):
        features[f"macs_share.{stage}"] = (after - before) / tally.macs
    return tally.counts(resolution, features)


def _add_mbconv(tally: Tally, width: Any, expansion: Any, side: Any, *, times: Any) -> None:
    middle = width * expansion
    tally.conv(width, middle, 1, side, times=times)
    tally.depthwise(middle, 3, side, times=times)
    tally.conv(middle, width, 1, side, times=times)


def _add_attention(tally: Tally, width: Any, side: Any, window: Any, *, times: Any) -> None:
    """Layer norm, query-key-value, attention within windows with a bias per offset, projection.

    The map is padded to whole windows, so the layers see more positions than the map has.
    """
    tokens = window * window
    windows = (-(-side // window)) ** 2
    tally.params = tally.params + (2 * width + width // HEAD_WIDTH * tokens) * times
    tally.linear(width, 3 * width, positions=windows * tokens, times=times)
    tally.linear(width, width, positions=windows * tokens, times=times)
    tally.macs = tally.macs + 2 * windows * tokens * tokens * width * times

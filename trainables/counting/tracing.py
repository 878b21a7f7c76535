"""Counting by tracing: fvcore's count of a built network, in the same convention as ``trainables.counting.counts``.

The reference that every backbone's ``cost`` is tested against, and the only count of networks that have no formula.
"""

import logging
import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.jit._trace import TracerWarning

from trainables.counting.counts import Statistics
from trainables.deploy import evaluating

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # fvcore compiles one of its losses with torch.jit at import
    from fvcore.nn import jit_handles
    from fvcore.nn.jit_analysis import JitModelAnalysis

Handle: TypeAlias = Callable[[list[Any], list[Any]], Counter[str]]
"""What an operator adds, from the values that go into it and come out of it."""


def trace(network: nn.Module, *, channels: int, resolution: int) -> Statistics:
    """Count a network for one image by running fvcore over its trace; takes a tenth of a second or more.

    Args:
        network: maps images (1, channels, resolution, resolution) to anything.
        channels: channels of the image.
        resolution: side of the image, pixels.
    """
    parameter = next(network.parameters())
    image = torch.zeros(1, channels, resolution, resolution, device=parameter.device, dtype=parameter.dtype)
    with evaluating(network), _quiet():
        # one analysis for both counts, since each runs the network
        counted = JitModelAnalysis(network, image).set_op_handle(**_handles()).by_operator()
        return Statistics(
            macs=int(counted["macs"]),
            params=sum(p.numel() for p in network.parameters() if p.requires_grad),
            activations=int(counted["activations"]),
            resolution=resolution,
        )


def _handles() -> dict[str, Handle]:
    """Layers have MACs and activations, other matrix products only MACs; everything else counts nothing."""
    layers = {
        "aten::_convolution": jit_handles.conv_flop_jit,
        "aten::linear": jit_handles.linear_flop_jit,
        "aten::addmm": jit_handles.addmm_flop_jit,
    }
    products = {
        "aten::mm": jit_handles.matmul_flop_jit,
        "aten::bmm": jit_handles.bmm_flop_jit,
        "aten::matmul": jit_handles.matmul_flop_jit,
        "aten::einsum": jit_handles.einsum_flop_jit,
        "aten::scaled_dot_product_attention": _attention_macs,
    }
    activations = jit_handles.generic_activation_jit("activations")
    return {name: _macs(count, activations) for name, count in layers.items()} | {
        name: _macs(count) for name, count in products.items()
    }


def _macs(count: Callable[..., Any], activations: Handle | None = None) -> Handle:
    """A handle that calls the one count of an operator ``macs``, whatever fvcore calls it, and adds its activations."""

    def handle(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
        counted = count(inputs, outputs)
        macs = Counter(macs=sum(counted.values()) if isinstance(counted, Counter) else counted)
        return macs + activations(inputs, outputs) if activations else macs

    return handle


def _attention_macs(inputs: list[Any], outputs: list[Any]) -> int:
    """Both matrix products of torch's fused attention; inputs (..., tokens, width)."""
    query, key, value = (value.type().sizes() for value in inputs[:3])
    pairs = math.prod(query[:-1]) * key[-2]
    return int(pairs * (query[-1] + value[-1]))


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence fvcore's list of operators without a count, and the tracer's warnings about shapes read in Python."""
    logger = logging.getLogger("fvcore.nn.jit_analysis")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore", TracerWarning)
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logger.setLevel(level)

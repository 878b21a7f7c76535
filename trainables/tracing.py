"""Counting by tracing: fvcore's count of a built network, in the same convention as ``trainables.counts``.

The reference that every backbone's ``cost`` is tested against, and the only count of networks that have no formula.
"""

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from trainables.counts import Statistics

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # fvcore compiles one of its losses with torch.jit at import
    from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis

# fvcore names einsum, bmm and matmul apart; which one a matrix product becomes depends on how it is written.
MATRIX_PRODUCTS = ("aten::einsum", "aten::bmm", "aten::matmul", "aten::addmm", "aten::linear")
UNCOUNTED_MACS = ("aten::batch_norm", "aten::group_norm", "aten::layer_norm", "aten::instance_norm", "aten::adaptive_avg_pool2d",
                  "aten::upsample_nearest2d", "aten::upsample_bilinear2d", "aten::grid_sampler")  # fmt: skip
UNCOUNTED_ACTIVATIONS = ("aten::einsum", "aten::bmm", "aten::matmul", "aten::lstm")


def trace(network: nn.Module, *, channels: int, resolution: int) -> Statistics:
    """Count a network for one image by running fvcore over its trace; takes a tenth of a second or more.

    The network may live on the meta device.

    Args:
        network: maps images (1, channels, resolution, resolution) to anything.
        channels: channels of the image.
        resolution: side of the image, pixels.
    """
    parameter = next(network.parameters())
    image = torch.zeros(1, channels, resolution, resolution, device=parameter.device, dtype=parameter.dtype)
    with _evaluating(network), _quiet():
        macs = FlopCountAnalysis(network, image)
        macs.set_op_handle(**dict.fromkeys(UNCOUNTED_MACS), **{"aten::scaled_dot_product_attention": _attention_macs})
        activations = ActivationCountAnalysis(network, image).set_op_handle(**dict.fromkeys(UNCOUNTED_ACTIVATIONS))
        return Statistics(
            macs=int(macs.total()),
            params=sum(p.numel() for p in network.parameters() if p.requires_grad),
            activations=int(activations.total()),
            resolution=resolution,
        )


def _attention_macs(inputs: list[Any], outputs: list[Any]) -> int:
    """Both matrix products of torch's fused attention; inputs (..., tokens, width)."""
    query, key, value = (value.type().sizes() for value in inputs[:3])
    pairs = math.prod(query[:-1]) * key[-2]
    return int(pairs * (query[-1] + value[-1]))


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence fvcore's list of operators without a count, and the tracer's warnings about shapes read in Python."""
    logger = logging.getLogger("fvcore.nn.jit_analysis")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore", torch.jit.TracerWarning)
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logger.setLevel(level)

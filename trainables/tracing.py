"""Counting by tracing: fvcore's count of a built network, in the same convention as ``trainables.counts``.

The reference that every backbone's ``cost`` is tested against, and the only count of networks that have no formula.
"""

import logging
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.jit._trace import TracerWarning

from trainables.counts import Statistics

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # fvcore compiles one of its losses with torch.jit at import
    from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis

MATRIX_PRODUCTS = ("mm", "bmm", "matmul", "einsum", "scaled_dot_product_attention")
LAYERS = ("conv", "linear", "addmm")


def trace(network: nn.Module, *, channels: int, resolution: int) -> Statistics:
    """Count a network for one image by running fvcore over its trace; takes a tenth of a second or more.

    Args:
        network: maps images (1, channels, resolution, resolution) to anything.
        channels: channels of the image.
        resolution: side of the image, pixels.
    """
    parameter = next(network.parameters())
    image = torch.zeros(1, channels, resolution, resolution, device=parameter.device, dtype=parameter.dtype)
    with _evaluating(network), _quiet():
        macs = FlopCountAnalysis(network, image)
        macs.set_op_handle("aten::scaled_dot_product_attention", _attention_macs)
        activations = ActivationCountAnalysis(network, image)
        return Statistics(
            macs=_total(macs.by_operator(), (*LAYERS, *MATRIX_PRODUCTS)),
            params=sum(p.numel() for p in network.parameters() if p.requires_grad),
            activations=_total(activations.by_operator(), LAYERS),
            resolution=resolution,
        )


def _total(by_operator: Mapping[str, float], counted: tuple[str, ...]) -> int:
    return int(sum(by_operator.get(name, 0) for name in counted))


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
            warnings.simplefilter("ignore", TracerWarning)
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logger.setLevel(level)

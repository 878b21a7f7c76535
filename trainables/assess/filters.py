"""What the 3 x 3 filters of a network are like, without any image (Gavrikov & Keuper 2022).

Filters that do nothing, that are all alike, or that are like noise say that a layer is too wide or not trained through.
Figures of all layers are means over filters.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trainables.assess import Assessment, Measure, missing
from trainables.deploy import Deployable
from trainables.splits import Splits

PAPER = "https://arxiv.org/abs/2203.15331"
BETTER = {"sparsity": "low", "variance_entropy": "none", "orthogonality": "high"}
NEEDS = ()
SCORES = ("sparsity", "orthogonality")
TEXTS = False
IN_SEARCH: dict[str, int] = {}

SIDE = 3


def assess(network: Deployable, splits: Splits, *, seed: int = 0, negligible: float = 0.01) -> Assessment:
    """Sparsity, variance entropy and orthogonality of each layer of 3 x 3 convolutions, and over all of them.

    ``count`` is the number of filters.

    Args:
        network: whose weights are read.
        splits: not read.
        seed: nothing is drawn.
        negligible: share of a layer's largest weight below which all weights of a filter do nothing.
    """
    del splits, seed
    layers = {
        name: module.weight.detach().cpu().double().numpy()
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and module.kernel_size == (SIDE, SIDE)
    }
    if not layers:
        return Assessment(measures=tuple(missing(metric, "", "no 3 x 3 convolution") for metric in BETTER))
    values = {
        name: {
            "sparsity": sparsity(weight, negligible),
            "variance_entropy": variance_entropy(weight),
            "orthogonality": orthogonality(weight),
        }
        for name, weight in layers.items()
    }
    count_L = np.array([weight.shape[0] * weight.shape[1] for weight in layers.values()])
    whole = [
        Measure(
            metric=metric,
            value=float(np.average([own[metric] for own in values.values()], weights=count_L)),
            count=int(count_L.sum()),
        )
        for metric in BETTER
    ]
    parts = [
        Measure(metric=metric, part=name.removeprefix("network."), value=value, count=int(count))
        for (name, own), count in zip(values.items(), count_L, strict=True)
        for metric, value in own.items()
    ]
    return Assessment(measures=(*whole, *parts))


def sparsity(weight_OIHW: NDArray[np.float64], negligible: float) -> float:
    """Share of the filters whose weights are all below ``negligible`` times the layer's largest."""
    most_F = np.abs(weight_OIHW).reshape(-1, SIDE * SIDE).max(1)
    return float((most_F <= negligible * most_F.max()).mean())


def variance_entropy(weight_OIHW: NDArray[np.float64]) -> float:
    """Entropy (base 10) of the shares of variance that the principal directions of centred filters have.

    Near log10 9 for filters like noise, 0 where all variance is in one direction or there is none.
    """
    filter_F9 = weight_OIHW.reshape(-1, SIDE * SIDE)
    value = torch.linalg.svdvals(torch.from_numpy(filter_F9 - filter_F9.mean(0))) ** 2
    total = float(value.sum())
    return 0.0 if total <= 1e-24 else float(torch.special.entr(value / total).sum()) / math.log(10)


def orthogonality(weight_OIHW: NDArray[np.float64]) -> float:
    """1 less the mean absolute cosine between the weights of different output channels; 1 for a single channel."""
    row_OF = weight_OIHW.reshape(len(weight_OIHW), -1)
    row_OF = row_OF / np.maximum(np.linalg.norm(row_OF, axis=1, keepdims=True), 1e-12)
    count = len(row_OF)
    if count < 2:
        return 1.0
    cosine_OO = np.abs(row_OF @ row_OF.T)
    return float(1 - (cosine_OO.sum() - np.trace(cosine_OO)) / (count * (count - 1)))

"""What networks are judged by while they are trained, by all workers together: features by protocols, and scores.

A network's features of labelled and of query images are made once for any number of protocols.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spaces import components
from trainables.assess._score import Weights, figures, score_of
from trainables.deploy import Deployable
from trainables.job import ACCURACY, OF_EVALUATION
from trainables.splits import Images, Splits
from trainables.training.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """Pooled features on the CPU.

    Attributes:
        known_NF, class_N: of the labelled images, and their class numbers.
        query_MF, right_M: of this worker's part of the images to classify, and their true class numbers.
        total: number of images to classify, over all workers.
    """

    known_NF: Tensor
    class_N: Tensor
    query_MF: Tensor
    right_M: Tensor
    total: int


@torch.no_grad()
def features_of(
    network: Deployable, labelled: Images, queries: Images, *, world: World, device: torch.device
) -> Features:
    """One pass over both. Leaves the network in evaluation mode; each worker takes its part of ``queries``."""
    network.eval()

    def pooled(images: Images) -> Tensor:
        return torch.cat([network.pooled(batch.to(device)).cpu() for batch in images.batches()])

    part = queries.take(np.arange(len(queries))[world.rank :: world.size])
    return Features(
        known_NF=pooled(labelled),
        class_N=torch.from_numpy(labelled.label_N),
        query_MF=pooled(part),
        right_M=torch.from_numpy(part.label_N),
        total=len(queries),
    )


def score(
    features: Features, protocol: str, *, classes: int, world: World, device: torch.device, **knobs: Any
) -> float:
    """Share of the query images that a protocol classifies correctly.

    Args:
        features: of a network.
        protocol: file in ``trainables/assess``.
        classes: number of classes.
        world, device: which worker this is, and where its count is added to the others'.
        knobs: keywords of the protocol.

    Raises:
        UnknownComponent: there is no such protocol.
    """
    module = components.load(components.PROTOCOLS, protocol)
    class_M = module.classify(features.known_NF, features.class_N, features.query_MF, classes=classes, **knobs)
    return float(world.total((class_M == features.right_M).sum().to(device))) / features.total


def judged(
    weights: Weights,
    network: Deployable,
    splits: Splits,
    right: float,
    *,
    world: World | None = None,
    device: torch.device | None = None,
) -> tuple[float, dict[str, float]]:
    """A network's score on search-validation, and by name the figures that it is made of; none of accuracy alone.

    The first of several workers judges for all.

    Args:
        weights: of the score.
        network: the same on all workers.
        splits: the data.
        right: accuracy of the network.
        world, device: which worker this is, and where it trains.

    Raises:
        DataError: the data give no such figure.
    """
    if not weights:
        return right, {}
    world, device = world or World(), device or torch.device("cpu")
    own = figures(weights, network, splits, right) if world.rank == 0 else [0.0] * len(weights)
    values = world.total(torch.tensor(own, dtype=torch.float64, device=device)).tolist()
    names = [f"{OF_EVALUATION}{ACCURACY}" if name == ACCURACY else name for name, _ in weights]
    return score_of(weights, values), dict(zip(names, values, strict=True))


@torch.inference_mode()
def scores(network: nn.Module, images: Images, *, device: torch.device | None = None, size: int = 256) -> Tensor:
    """Class scores of all images, shape (N, K), on the CPU. Leaves the network in evaluation mode."""
    device = device or torch.device("cpu")
    network.eval()
    return torch.cat(
        [network(batch.to(device, memory_format=torch.channels_last)).cpu() for batch in images.batches(size)]
    )


def accuracy(
    network: nn.Module,
    images: Images,
    *,
    world: World | None = None,
    device: torch.device | None = None,
    scored: Callable[[Images], Tensor] | None = None,
) -> float:
    """Share of the images classified correctly, each worker taking its part of them.

    ``scored`` gives class scores (N, K) of images, by default those of a pass of the network.
    """
    world, device = world or World(), device or torch.device("cpu")
    # Taking rows copies them; a single worker needs no copy.
    part = images if world.size == 1 else images.take(np.arange(len(images))[world.rank :: world.size])
    scores_NK = scores(network, part, device=device) if scored is None else scored(part)
    right = (scores_NK.argmax(1) == torch.from_numpy(part.label_N)).sum()
    return float(world.total(right.to(device))) / len(images)

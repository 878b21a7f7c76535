"""Judging networks that are not trained any further: evaluations, and protocols that judge features alone.

An *evaluation*, ``assess(network, splits, *, seed, **knobs) -> Assessment``, is what ``search evaluate`` runs on
exported networks, one a file; what a file states is ``Evaluation``, all of it in every file. It leaves the weights and
the mode of the network as they were, and random numbers come from ``seed``. The images that it judges are
``splits.test``: a search that chooses by an evaluation hands it its search-validation images there, so that the test
split stays sealed.

A *protocol*, ``classify(known_NF, class_N, query_MF, *, classes, **knobs)``, predicts a class for each row of
``query_MF`` from labelled rows ``known_NF``, shape (M,). It sees features only, so several protocols share one pass of
the network: ``trainables.training.features`` makes them and counts who is right. ``PAPER`` says where it comes from.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.deploy import Deployable, evaluating
from trainables.splits import Images

CONFIDENCE = 0.95
DRAWS = 1000
"""Of a bootstrap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One figure of a network.

    Attributes:
        metric: what is measured; a key of the file's ``BETTER``.
        part: of which images, or under which condition; empty for all and as deployed.
        value: in the metric's own unit; NaN where there is none, and then ``part`` says why.
        count: images that it rests on.
        low, high: its interval (95 %); None where none is known.
    """

    metric: str
    part: str = ""
    value: float
    count: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What an evaluation says of a network.

    Attributes:
        measures: each metric and part once.
        pictures: by name, 8 bits, shape (H, W, 3).
    """

    measures: tuple[Measure, ...]
    pictures: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)


class Evaluation(Protocol):
    """An evaluation's file. Nothing has a default: what reads a file reads it plainly."""

    PAPER: str
    """Where it comes from."""
    BETTER: Mapping[str, Literal["high", "low", "none"]]
    """For each metric, which values are the better ones."""
    NEEDS: Sequence[str]
    """Fields of the images that it reads (``trainables.batches.fields``)."""
    SCORES: Sequence[str]
    """Metrics with a figure of all images, from 0 to 1, that a search may choose by (``search.score``)."""
    TEXTS: bool
    """Whether only a network with a text tower has figures."""
    IN_SEARCH: Mapping[str, Any]
    """Knobs of the form that is cheap enough for every epoch of a trial."""
    assess: Callable[..., Assessment]
    """``assess(network, splits, *, seed, **knobs)``."""


def share(metric: str, right_N: NDArray[np.bool_] | Tensor, part: str = "") -> Measure:
    """The share of N images that are right, with Wilson's interval."""
    from scipy.stats import binomtest

    right, count = int(right_N.sum()), len(right_N)
    if count == 0:
        return missing(metric, part, "no image")
    low, high = binomtest(right, count).proportion_ci(CONFIDENCE, method="wilson")
    return Measure(metric=metric, part=part, value=right / count, count=count, low=float(low), high=float(high))


def mean(metric: str, value_N: NDArray[np.float64], part: str = "", *, seed: int) -> Measure:
    """The mean of one value an image, with the interval of a bootstrap over the images."""
    count, generator = len(value_N), np.random.default_rng(seed)
    if count == 0:
        return missing(metric, part, "no image")
    mean_D = np.array([value_N[generator.integers(count, size=count)].mean() for _ in range(DRAWS)])
    return bootstrapped(metric, part, float(value_N.mean()), count, mean_D)


def bootstrapped(metric: str, part: str, value: float, count: int, value_D: NDArray[np.float64]) -> Measure:
    """A figure with the middle 95 % of what D draws of a bootstrap gave for it, stretched to hold the figure itself.

    A bootstrap of the smallest of several shares is biased: all of its draws may lie below that share.
    """
    low, high = np.quantile(value_D, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]).tolist()
    return Measure(metric=metric, part=part, value=value, count=count, low=min(low, value), high=max(high, value))


def missing(metric: str, part: str, reason: object) -> Measure:
    """A figure that a network cannot have, and why."""
    words = " ".join(str(reason).split())[:120] or type(reason).__name__
    return Measure(metric=metric, part=f"{part}: {words}" if part else words, value=math.nan, count=0)


def some(images: Images, most: int) -> Images:
    """At most ``most`` of the images, evenly chosen: the order of a source may be that of its classes."""
    if len(images) <= most:
        return images
    return images.take(np.linspace(0, len(images) - 1, num=most).round().astype(np.int64))


@torch.inference_mode()
def pooled(network: Deployable, images: Images) -> Tensor:
    """Features (N, F) that the classifier sees, on the CPU."""
    with evaluating(network):
        return torch.cat([network.pooled(batch.to(network.mean.device)).cpu() for batch in images.batches()])


@torch.inference_mode()
def scores(network: Deployable, batches: Iterable[Tensor]) -> Tensor:
    """Class scores (N, K) of batches of images in [0, 1], on the CPU."""
    with evaluating(network):
        return torch.cat([network(batch.to(network.mean.device)).cpu() for batch in batches])

"""Accuracy of rare and of frequent classes (after Parashar et al. 2024): does a network know the tail of its data?"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from trainables.assess import DRAWS, Assessment, bootstrapped, missing, scores, share
from trainables.deploy import Deployable
from trainables.splits import Splits

PAPER = "https://arxiv.org/abs/2401.12425"
BETTER = {"tail": "high", "head": "high", "correlation": "none"}
NEEDS = ()
SCORES = ("tail", "head")
TEXTS = False
IN_SEARCH: dict[str, int] = {}


def assess(network: Deployable, splits: Splits, *, seed: int = 0, part: float = 1 / 3) -> Assessment:
    """Accuracy on the images of the rarest and of the most frequent classes among training images.

    ``correlation`` is Spearman's, between number of training images and accuracy over classes, with the interval of a
    bootstrap over images.

    Args:
        network: judged as it is deployed.
        splits: its data.
        seed: of the bootstrap.
        part: share of the classes that are the tail, and that are the head; at least one.
    """
    classes, label_N = len(splits.classes), splits.test.label_N
    known_K = np.bincount(splits.train.label_N, minlength=classes)
    if np.ptp(known_K) == 0:
        reason = f"each class has {known_K[0]} training images"
        return Assessment(measures=tuple(missing(metric, "", reason) for metric in BETTER))
    right_N = scores(network, splits.test.batches()).argmax(1).numpy() == label_N
    order_K = np.argsort(known_K, kind="stable")
    several = max(1, round(classes * part))
    count_K = np.bincount(label_N, minlength=classes)
    seen_K = count_K > 0
    share_K = np.bincount(label_N[right_N], minlength=classes)[seen_K] / count_K[seen_K]
    drawn_DK = (
        np.random.default_rng(seed).binomial(count_K[seen_K], share_K, size=(DRAWS, seen_K.sum())) / count_K[seen_K]
    )
    tail, head = (
        share("tail", right_N[np.isin(label_N, order_K[:several])]),
        share("head", right_N[np.isin(label_N, order_K[-several:])]),
    )
    if np.ptp(share_K) == 0:
        return Assessment(measures=(tail, head, missing("correlation", "", "all classes have one accuracy")))
    correlation_D = rank_correlations(known_K[seen_K], drawn_DK[np.ptp(drawn_DK, axis=1) > 0])
    correlation = float(rank_correlations(known_K[seen_K], share_K[None])[0])
    return Assessment(
        measures=(tail, head, bootstrapped("correlation", "", correlation, int(count_K.sum()), correlation_D))
    )


def rank_correlations(one_K: NDArray[np.int64], other_DK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spearman's rank correlation of one row with each of several, none of which is constant, shape (D,)."""
    first_K, second_DK = rankdata(one_K), rankdata(other_DK, axis=1)
    first_K, second_DK = first_K - first_K.mean(), second_DK - second_DK.mean(1, keepdims=True)
    value_D: NDArray[np.float64] = (second_DK @ first_K) / np.sqrt((first_K**2).sum() * (second_DK**2).sum(1))
    return value_D

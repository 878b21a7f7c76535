"""Accuracy of rare and of frequent classes (after Parashar et al. 2024): does a network know the tail of its data?"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from trainables.assess import DRAWS, Assessment, Measure, bootstrapped, missing, scores, share
from trainables.batches.fields import CAPTION, fields_of
from trainables.deploy import Deployable
from trainables.language.names import images_of, texts_of
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
    bootstrap over images. Where images have captions, the same by the number of images that are pretrained on whose
    captions have a name of the class, as the paper counts.

    Args:
        network: judged as it is deployed.
        splits: its data.
        seed: of the bootstrap.
        part: share of the classes that are the tail, and that are the head; at least one.
    """
    right_N = scores(network, splits.test.batches()).argmax(1).numpy() == splits.test.label_N
    measures: list[Measure] = []
    for name, what, known_K in _frequencies(splits):
        if np.ptp(known_K) == 0:
            reason = what.format(known_K[0])
            measures += [missing(metric, name, reason) for metric in BETTER]
        else:
            measures += _by_frequency(right_N, splits.test.label_N, known_K, part, name, seed)
    return Assessment(measures=tuple(measures))


def _frequencies(splits: Splits) -> Iterator[tuple[str, str, NDArray[np.int64]]]:
    """By what classes are rare or frequent: a name, words for the counts, and these."""
    yield "", "each class has {} training images", np.bincount(splits.train.label_N, minlength=len(splits.classes))
    caption_NTL = fields_of(splits.unlabelled).get(CAPTION)
    if caption_NTL is not None:
        synonyms = splits.synonyms or {name: (name,) for name in splits.classes}
        counts_K = images_of(texts_of(caption_NTL), synonyms).sum(axis=0)
        yield "by captions", "captions name each class in {} images", counts_K


def _by_frequency(
    right_N: NDArray[np.bool_],
    label_N: NDArray[np.int64],
    known_K: NDArray[np.int64],
    part: float,
    name: str,
    seed: int,
) -> tuple[Measure, Measure, Measure]:
    classes = len(known_K)
    order_K = np.argsort(known_K, kind="stable")
    several = max(1, round(classes * part))
    count_K = np.bincount(label_N, minlength=classes)
    seen_K = count_K > 0
    share_K = np.bincount(label_N[right_N], minlength=classes)[seen_K] / count_K[seen_K]
    drawn_DK = (
        np.random.default_rng(seed).binomial(count_K[seen_K], share_K, size=(DRAWS, seen_K.sum())) / count_K[seen_K]
    )
    tail, head = (
        share("tail", right_N[np.isin(label_N, order_K[:several])], name),
        share("head", right_N[np.isin(label_N, order_K[-several:])], name),
    )
    if np.ptp(share_K) == 0:
        return tail, head, missing("correlation", name, "all classes have one accuracy")
    if np.ptp(known_K[seen_K]) == 0:
        return tail, head, missing("correlation", name, "all classes among the test images are as frequent")
    correlation_D = rank_correlations(known_K[seen_K], drawn_DK[np.ptp(drawn_DK, axis=1) > 0])
    correlation = float(rank_correlations(known_K[seen_K], share_K[None])[0])
    return tail, head, bootstrapped("correlation", name, correlation, int(count_K.sum()), correlation_D)


def rank_correlations(one_K: NDArray[np.int64], other_DK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spearman's rank correlation of one row with each of several, none of which is constant, shape (D,)."""
    first_K, second_DK = rankdata(one_K), rankdata(other_DK, axis=1)
    first_K, second_DK = first_K - first_K.mean(), second_DK - second_DK.mean(1, keepdims=True)
    value_D: NDArray[np.float64] = (second_DK @ first_K) / np.sqrt((first_K**2).sum() * (second_DK**2).sum(1))
    return value_D

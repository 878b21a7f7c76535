"""What a network answers on the test images, and what follows from that."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import nn

from search.family.comparison import Examined, Interval, difference_interval, wilson
from trainables.splits import Images
from trainables.training.features import scores


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """Of one network on N images of K classes.

    Attributes:
        predicted_N: class numbers.
        confidence_N: share that softmax gives them.
        true_N: class numbers of the images.
        classes: their number, K.
    """

    predicted_N: NDArray[np.int64]
    confidence_N: NDArray[np.float64]
    true_N: NDArray[np.int64]
    classes: int

    @cached_property
    def confusion_KK(self) -> NDArray[np.int64]:
        """Counts of the images by true class (rows) and predicted class (columns)."""
        counts_KK = np.bincount(self.true_N * self.classes + self.predicted_N, minlength=self.classes**2)
        return counts_KK.reshape(self.classes, self.classes)

    @property
    def accuracy(self) -> float:
        """Share of images that are right."""
        return float((self.predicted_N == self.true_N).mean())

    @property
    def interval(self) -> Interval:
        """Of the accuracy: Wilson's, 95 %."""
        return wilson(self.accuracy, len(self.true_N))

    @property
    def by_class_K(self) -> NDArray[np.float64]:
        """Accuracy of each class; NaN where it has no image."""
        images_K = self.confusion_KK.sum(axis=1)
        return np.where(images_K > 0, np.diag(self.confusion_KK) / np.maximum(images_K, 1), np.nan)

    @property
    def balanced(self) -> float:
        """Mean accuracy of the classes that have images, each counted alike."""
        return float(np.nanmean(self.by_class_K))

    @property
    def mistakes(self) -> NDArray[np.int64]:
        """Images that are wrong, those with the highest confidence first."""
        wrong = np.flatnonzero(self.predicted_N != self.true_N)
        return wrong[np.argsort(-self.confidence_N[wrong], kind="stable")]


def answers_of(network: nn.Module, images: Images, classes: int) -> Answers:
    """Let a network in evaluation mode answer all images."""
    confidence_NK = scores(network, images).double().softmax(1)
    confidence_N, predicted_N = confidence_NK.max(1)
    return Answers(
        predicted_N=predicted_N.numpy(),
        confidence_N=confidence_N.numpy(),
        true_N=np.asarray(images.label_N, dtype=np.int64),
        classes=classes,
    )


def lead(one: Answers, other: Answers) -> tuple[float, Interval]:
    """Accuracy of one network minus another's on the same images, with Newcombe's interval (95 %)."""
    first, second = (
        Examined(name="", pair="", macs=1, right_N=answers.predicted_N == answers.true_N, search_accuracy=0.0)
        for answers in (one, other)
    )
    return one.accuracy - other.accuracy, difference_interval(first, second)

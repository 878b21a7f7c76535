"""k nearest neighbours by angle, weighted by their similarity (Wu et al. 2018)."""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

PAPER = "https://arxiv.org/abs/1805.01978"


def classify(
    known_NF: Tensor, class_N: Tensor, query_MF: Tensor, *, classes: int, neighbours: int = 20, temperature: float = 0.1
) -> Tensor:
    """The class with the largest sum of exp(cosine / ``temperature``) over the nearest labelled features.

    Args:
        known_NF, class_N: labelled features.
        query_MF: features to classify.
        classes: number of classes.
        neighbours: how many have a vote; all where there are fewer.
        temperature: > 0; infinite for one vote each.

    Raises:
        ValueError: no neighbour, or a temperature that is not positive.
    """
    del classes  # scikit-learn reads them off the labels
    if neighbours < 1 or not temperature > 0:
        raise ValueError(f"knn needs neighbours >= 1 and temperature > 0, given {neighbours} and {temperature}")

    def votes(distance_MK: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.exp(-distance_MK / temperature)  # e^(cosine / T) but for a factor

    nearest = KNeighborsClassifier(min(neighbours, len(known_NF)), metric="cosine", weights=votes)
    nearest.fit(known_NF.double().numpy(), class_N.numpy())
    return torch.from_numpy(nearest.predict(query_MF.double().numpy()))

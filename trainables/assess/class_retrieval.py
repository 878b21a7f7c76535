"""Whether the nearest other images are of the same class, by frozen features (after Goldblum et al. 2023)."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from trainables.assess import Assessment, mean, missing, pooled, share, some
from trainables.deploy import Deployable
from trainables.splits import Splits

PAPER = "https://arxiv.org/abs/2310.19909"
BETTER = {"recall": "high", "average precision": "high"}
NEEDS = ()
SCORES = ("average precision",)
TEXTS = False
IN_SEARCH = {"most": 500}

AT = (1, 5, 10)


def assess(network: Deployable, splits: Splits, *, seed: int = 0, most: int = 2_000) -> Assessment:
    """By cosine of pooled features, every image asks all others; images without another of their class ask nothing.

    ``recall`` is the share of images that have one of their class among the nearest 1, 5 or 10, and ``average
    precision`` the mean over images of the mean precision at the rank of each image of their class.

    Args:
        network: whose pooled features are compared.
        splits: its data.
        seed: of the bootstrap.
        most: images at most.
    """
    images = some(splits.test, most)
    same_NM = ranked(pooled(network, images).double(), torch.from_numpy(images.label_N))
    same_NM = same_NM[same_NM.any(1)]
    if not len(same_NM):
        return Assessment(measures=(missing("average precision", "", "no class has two images"),))
    recalls = [share("recall", np.asarray(same_NM[:, :at].any(1)), f"at {at}") for at in AT]
    return Assessment(measures=(mean("average precision", average_precision(same_NM), seed=seed), *recalls))


def ranked(feature_NF: torch.Tensor, class_N: torch.Tensor) -> NDArray[np.bool_]:
    """Whether the other images are of the same class, the nearest first, shape (N, N - 1)."""
    feature_NF = F.normalize(feature_NF)
    cosine_NN = (feature_NF @ feature_NF.T).fill_diagonal_(-torch.inf)
    order_NM = cosine_NN.argsort(dim=1, descending=True, stable=True)[:, :-1]
    same_NM: NDArray[np.bool_] = (class_N[order_NM] == class_N[:, None]).numpy()
    return same_NM


def average_precision(same_NM: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Of each row: the mean, over the ranks of what is right, of the share that is right up to that rank."""
    precision_NM = same_NM.cumsum(1) / np.arange(1, same_NM.shape[1] + 1)
    value_N: NDArray[np.float64] = (precision_NM * same_NM).sum(1) / same_NM.sum(1)
    return value_N

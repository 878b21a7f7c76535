"""What frozen features are worth with few labels: a linear probe on some images of each class (Goldblum et al. 2023).

The interval joins the spread over draws of the labelled images with that over the images judged.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm

from trainables.assess import CONFIDENCE, Assessment, Measure, missing, pooled, some
from trainables.assess.linear_probe import classify
from trainables.deploy import Deployable
from trainables.splits import Splits

PAPER = "https://arxiv.org/abs/2310.19909"
BETTER = {"accuracy": "high"}
NEEDS = ()
SCORES = ("accuracy",)
TEXTS = False
IN_SEARCH = {"shots": (5,), "draws": 2, "known": 2_000, "most": 500}


def assess(
    network: Deployable,
    splits: Splits,
    *,
    seed: int = 0,
    shots: Sequence[int] = (1, 5, 25),
    draws: int = 5,
    known: int = 10_000,
    most: int = 5_000,
) -> Assessment:
    """Accuracy of the probe for each number of labels, and their mean.

    Args:
        network: whose pooled features are judged.
        splits: its data: the labelled features are of training images.
        seed: of the draws.
        shots: labelled images of each class.
        draws: of them.
        known: training images at most that are drawn from.
        most: images judged at most.
    """
    labelled, judged = some(splits.train, known), some(splits.test, most)
    known_NF, query_MF = pooled(network, labelled), pooled(network, judged)
    label_N, generator = labelled.label_N, np.random.default_rng(seed)

    def right(shot: int) -> NDArray[np.bool_]:
        rows = np.concatenate(
            [
                generator.choice(np.flatnonzero(label_N == one), shot, replace=False)
                for one in range(len(splits.classes))
            ]
        )
        class_M = classify(known_NF[rows], torch.from_numpy(label_N[rows]), query_MF, classes=len(splits.classes))
        return np.asarray(class_M.numpy() == judged.label_N)

    fewest = int(np.bincount(label_N, minlength=len(splits.classes)).min())
    right_SDM = [np.stack([right(shot) for _ in range(draws)]) for shot in shots if shot <= fewest]
    used = [shot for shot in shots if shot <= fewest]
    absent = [missing("accuracy", words(shot), f"a class has {fewest}") for shot in shots if shot > fewest]
    parts = [_measure(words(shot), right_DM) for shot, right_DM in zip(used, right_SDM, strict=True)]
    if not right_SDM:
        return Assessment(measures=(missing("accuracy", "", f"a class has {fewest} training images"), *absent))
    return Assessment(measures=(_measure("", np.stack(right_SDM).mean(0)), *parts, *absent))


def words(shot: int) -> str:
    """Name of the part."""
    return f"{shot} {'label' if shot == 1 else 'labels'} a class"


def _measure(part: str, right_DM: NDArray[np.bool_] | NDArray[np.float64]) -> Measure:
    draws, count = right_DM.shape
    value = float(right_DM.mean())
    variance = float(right_DM.mean(0).var() / count)
    if draws > 1:
        variance += float(right_DM.mean(1).var(ddof=1) / draws)
    reach = float(norm.ppf((1 + CONFIDENCE) / 2)) * variance**0.5
    return Measure(
        metric="accuracy",
        part=part,
        value=value,
        count=count,
        low=max(0.0, value - reach),
        high=min(1.0, value + reach),
    )

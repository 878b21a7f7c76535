"""When a candidate may stop: FBNetV3's rule, the first epoch whose ranks agree with the final ranks."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.stats import kendalltau, spearmanr

Coefficient = Literal["kendall", "spearman"]
FEWEST = 5
"""Curves below which a rank correlation says nothing."""


def rank_correlations(curve_NE: Sequence[Sequence[float]], coefficient: Coefficient) -> list[float]:
    """Rank correlation of the accuracies after each epoch with those after the last, one an epoch.

    An epoch at which all candidates are equal has correlation 0. Shape of the input: (candidates, epochs).
    """
    accuracy_NE = np.asarray(curve_NE, dtype=float)
    measure = kendalltau if coefficient == "kendall" else spearmanr
    final_N = accuracy_NE[:, -1]

    def correlation(accuracy_N: np.ndarray) -> float:
        if np.ptp(accuracy_N) == 0 or np.ptp(final_N) == 0:
            return 0.0
        return float(measure(accuracy_N, final_N).statistic)

    return [correlation(accuracy_NE[:, epoch]) for epoch in range(accuracy_NE.shape[1])]


def stop_epoch(
    curve_NE: Sequence[Sequence[float]], epochs: int, threshold: float, coefficient: Coefficient = "spearman"
) -> int:
    """The first epoch whose rank correlation with the final accuracies reaches ``threshold`` (FBNetV3, section 3.2).

    Args:
        curve_NE: accuracies of the candidates that were trained in full.
        epochs: length of the full schedule, the answer while there are fewer than five curves or no epoch qualifies.
        threshold: the paper uses 0.92.
        coefficient: which rank correlation.
    """
    if len(curve_NE) < FEWEST:
        return epochs
    correlations = rank_correlations(curve_NE, coefficient)
    return next((epoch for epoch, value in enumerate(correlations, start=1) if value >= threshold), epochs)

"""How wide intervals must be, judged from left-out rows."""

import numpy as np
from numpy.typing import NDArray

from predictors.parts.targets import Z90

FEW = 5.0
"""Variances grow by (N + FEW) / N: with few rows the hyperparameters themselves are uncertain."""

DOUBT = 20.0
"""Left-out residuals of N rows count N / (N + DOUBT); before them, intervals are taken to be right."""

STRUCTURE = 0.7
"""Share of the noise variance learnt from single measurements that is taken for structure the model cannot resolve.

One measurement a candidate cannot tell seed noise from such structure. On spaces of choices most of it is structure; it
belongs to the spread of the noise-free score, the rest to ``noise_std``.
"""


def inflation(residual_N: NDArray[np.float64], std_N: NDArray[np.float64], few: float = FEW) -> float:
    """Factor by which standard deviations must grow (or shrink) for 90 % intervals to hold 90 % of the scores.

    Args:
        residual_N: score minus its prediction from the other rows.
        std_N: standard deviation of that prediction, noise included.
        few: as ``FEW``; 0 where the standard deviations have been widened for it already.

    Returns:
        The 90 % quantile of |residual| / std relative to a Gaussian's, shrunk to 1 where rows are few, and half as
        strong (in the logarithm) downwards as upwards, since rows that shaped the model flatter it.
    """
    count = len(residual_N)
    if count < 2:
        return float(np.sqrt((count + few) / max(count, 1)))
    ratio_N = np.sort(np.abs(residual_N) / np.maximum(std_N, 1e-12))
    reached = ratio_N[min(count, int(np.ceil(0.9 * (count + 1)))) - 1] / Z90
    step = float(np.log(np.clip(reached, 0.25, 4.0))) * count / (count + DOUBT)
    return float(np.exp(step if step > 0 else 0.5 * step) * np.sqrt((count + few) / count))


def shared_spread(residual_N: NDArray[np.float64]) -> float:
    """Standard deviation that all candidates share, from left-out residuals of targets of unit variance.

    Two residuals of the size of the targets' own spread are added to those measured: what is known without any.
    """
    return float(np.sqrt(((residual_N**2).sum() + 2.0) / (len(residual_N) + 2.0)))

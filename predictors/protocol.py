"""The contract of predictors: pretrain on what is free, fit to what was trained, predict with uncertainty."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Gaussian belief about the score of N candidates, in the unit of the scores that were fitted.

    Attributes:
        mean_N: expected score, shape (N,).
        std_N: standard deviation of the *noise-free* score, shape (N,), >= 0.
        noise_std: standard deviation of one measurement around the noise-free score (seed noise).

    Raises:
        ValueError: shapes differ, or a value is not finite.
    """

    mean_N: NDArray[np.float64]
    std_N: NDArray[np.float64]
    noise_std: float = 0.0

    def __post_init__(self) -> None:
        if self.mean_N.ndim != 1 or self.mean_N.shape != self.std_N.shape:
            raise ValueError(f"mean and std need one shape (N,), given {self.mean_N.shape} and {self.std_N.shape}")
        if not (np.isfinite(self.mean_N).all() and np.isfinite(self.std_N).all() and (self.std_N >= 0).all()):
            raise ValueError("a prediction needs finite means and finite, non-negative standard deviations")


class Predictor(Protocol):
    """Scores candidates from their encoded columns x_NF and their free statistics s_NK.

    A predictor file defines the class ``Model``, constructed as ``Model(layout=..., rng=...)``; its name is the file's.
    ``layout`` is the ``spaces.encoding.Layout`` of x_NF; ``rng`` is its only source of randomness.
    Higher scores are better. Statistics are already on a sensible (logarithmic) scale, but not standardised.

    The file states ``NEEDS``, the costs whose logarithms it must find among the statistics; ``Model`` then takes the
    column of each as a keyword of its name.

    It may also define ``surrogate(layout=..., rng=..., length=...)``: the predictor as samplers use it, if that differs
    from ``Model``. It is fitted again and again to ever more scores, given as they are, and answers on the learning
    scale (``predictors.parts.targets``); ``length`` below 1 expects scores that change over shorter distances.
    """

    def pretrain(self, x_NF: Floats, s_NK: Floats) -> None:
        """Learn from candidates whose statistics are known and whose scores are not. May be skipped."""

    def fit(self, x_NF: Floats, s_NK: Floats, y_N: Floats) -> None:
        """Fit to all scores known so far; repeats replace what an earlier ``fit`` learnt from scores.

        Raises:
            ValueError: no rows, shapes that disagree, or a value that is not finite.
        """

    def predict(self, x_NF: Floats, s_NK: Floats) -> Prediction:
        """Predict the scores.

        Raises:
            RuntimeError: called before ``fit``.
        """


@runtime_checkable
class Believing(Protocol):
    """A fitted predictor that can tell what it would know if some candidates had scored what it expects."""

    def believing(self, x_NF: Floats, s_NK: Floats) -> Predictor:
        """One with the same means, and smaller standard deviations near these rows."""

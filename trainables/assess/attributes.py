"""How well frozen features tell measured properties that nobody trained for (Perez-Garcia et al. 2024)."""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from trainables.assess import DRAWS, Assessment, Measure, bootstrapped, missing, pooled, some
from trainables.deploy import Deployable
from trainables.splits import Splits

PAPER = "https://arxiv.org/abs/2401.10815"
BETTER = {"r2": "high"}
NEEDS = ("attribute",)
SCORES = ()
TEXTS = False
IN_SEARCH: dict[str, int] = {}


def assess(network: Deployable, splits: Splits, *, seed: int = 0, known: int = 5_000, most: int = 5_000) -> Assessment:
    """Share of the variance of each attribute that a ridge regression on pooled features explains (R squared).

    Images of which an attribute is not known (not a number) are left out of it.

    Args:
        network: whose pooled features are read.
        splits: its data, with the field ``attribute``: the regression is fitted to training images.
        seed: of the bootstrap.
        known, most: images at most that it is fitted to, and judged by.
    """
    labelled, judged = some(splits.train, known), some(splits.test, most)
    known_NF, query_MF = pooled(network, labelled).double().numpy(), pooled(network, judged).double().numpy()
    value_NA, right_MA = labelled.fields["attribute"], judged.fields["attribute"]

    def measure(column: int) -> Measure:
        part = f"attribute {column}"
        rows_N, rows_M = np.isfinite(value_NA[:, column]), np.isfinite(right_MA[:, column])
        if rows_N.sum() < 2 or np.ptp(right_MA[rows_M, column], axis=0) == 0:
            return missing("r2", part, "it does not vary among these images")
        fitted = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 7)))
        fitted.fit(known_NF[rows_N], value_NA[rows_N, column])
        return _explained(part, right_MA[rows_M, column].astype(np.float64), fitted.predict(query_MF[rows_M]), seed)

    return Assessment(measures=tuple(measure(column) for column in range(value_NA.shape[1])))


def _explained(part: str, right_M: NDArray[np.float64], predicted_M: NDArray[np.float64], seed: int) -> Measure:
    generator, count = np.random.default_rng(seed), len(right_M)

    def explained(rows: NDArray[np.int64]) -> float:
        deviation = right_M[rows] - right_M[rows].mean()
        return float(1 - ((right_M[rows] - predicted_M[rows]) ** 2).sum() / max(float((deviation**2).sum()), 1e-12))

    drawn_D = np.array([explained(generator.integers(count, size=count)) for _ in range(DRAWS)])
    return bootstrapped("r2", part, explained(np.arange(count)), count, drawn_D)

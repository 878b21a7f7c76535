"""Columns on one scale: those that vary, standardised."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Scaler:
    """Standardises the columns that vary and drops those that do not or that repeat an earlier one.

    Attributes:
        column_K: the columns that are left.
        mean_K, std_K: of each of them.
    """

    column_K: NDArray[np.intp]
    mean_K: Values
    std_K: Values

    def __call__(self, raw_NC: Values) -> Values:
        """Standardised columns, clipped at 4 so that a candidate far outside is not extrapolated to."""
        return np.clip((raw_NC[:, self.column_K] - self.mean_K) / self.std_K, -4.0, 4.0)


def scaler(raw_NC: Values) -> Scaler:
    """The scaler of these columns."""
    mean_C, std_C = raw_NC.mean(axis=0), raw_NC.std(axis=0)
    varies_C = np.flatnonzero(std_C > 1e-9 * np.maximum(1.0, np.abs(mean_C)))
    unit_NC = (raw_NC[:, varies_C] - mean_C[varies_C]) / std_C[varies_C]
    twin_CC = np.abs(unit_NC.T @ unit_NC) / max(len(raw_NC), 1) > 1.0 - 1e-9
    column_K = varies_C[~np.triu(twin_CC, 1).any(axis=0)] if len(varies_C) else varies_C
    return Scaler(column_K=column_K, mean_K=mean_C[column_K], std_K=std_C[column_K])

"""The checks that every predictor makes on the arrays it is given."""

import numpy as np
from numpy.typing import NDArray

from predictors.protocol import Floats
from spaces.encoding import Layout


def check_columns(layout: Layout, x_NF: Floats, s_NK: Floats, statistics: int | None = None) -> None:
    """Check candidates before they are learnt from or predicted.

    Args:
        layout: the columns that x_NF must have.
        x_NF: encoded candidates.
        s_NK: their free statistics.
        statistics: number of statistics seen earlier, if any.

    Raises:
        ValueError: shapes that disagree with each other or with the layout, or a value that is not finite.
    """
    if x_NF.ndim != 2 or s_NK.ndim != 2 or len(x_NF) != len(s_NK):
        raise ValueError(f"x_NF and s_NK need one row per candidate, given shapes {x_NF.shape} and {s_NK.shape}")
    if x_NF.shape[1] != layout.width:
        raise ValueError(f"the layout has {layout.width} columns, given x_NF of shape {x_NF.shape}")
    if statistics is not None and s_NK.shape[1] != statistics:
        raise ValueError(f"fitted with {statistics} statistics a row, given s_NK of shape {s_NK.shape}")
    for name, values in (("x_NF", x_NF), ("s_NK", s_NK)):
        if not np.isfinite(values).all():
            row = int(np.argwhere(~np.isfinite(values))[0, 0])
            raise ValueError(f"{name} must be finite, row {row} is not; leave such candidates out")


def check_scores(layout: Layout, x_NF: Floats, s_NK: Floats, y_N: Floats) -> NDArray[np.float64]:
    """Check candidates and their scores; the scores as float64, shape (N,).

    Raises:
        ValueError: no rows, shapes that disagree, or a value that is not finite.
    """
    check_columns(layout, x_NF, s_NK)
    if y_N.shape != (len(x_NF),):
        raise ValueError(f"y_N needs one score for each of {len(x_NF)} rows, given shape {y_N.shape}")
    if not len(y_N):
        raise ValueError("fit needs at least one scored candidate, given none")
    if not np.isfinite(y_N).all():
        row = int(np.flatnonzero(~np.isfinite(y_N))[0])
        raise ValueError(f"scores must be finite, y_N[{row}] is {y_N[row]}; leave failed trials out")
    return np.asarray(y_N, dtype=np.float64)

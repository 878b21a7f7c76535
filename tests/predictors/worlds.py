"""Small spaces and smooth scores for the tests of predictors."""

import numpy as np
from numpy.typing import NDArray

from spaces.dimensions import Choice, Real
from spaces.encoding import Layout, encode, layout
from spaces.sampling import uniform
from spaces.space import Condition, Space

SPACE = Space(
    name="world",
    backbone="none",
    architecture={
        **{f"kernel.{stage}": Choice(values=(3, 5, 7), ordered=True) for stage in range(4)},
        "act": Choice(values=("relu", "hswish", "gelu")),
    },
    recipe={
        "optimizer": Choice(values=("sgd", "adam")),
        "rate": Real(low=1e-4, high=1.0, levels=9, log=True),
        "momentum": Choice(values=(0.8, 0.9, 0.95)),
    },
    conditions={"recipe.momentum": Condition(parent="recipe.optimizer", values=("sgd",))},
)
"""Ordinal, unordered and conditional dimensions: rows with adam have a momentum of all zeros."""

LAYOUT: Layout = layout(SPACE)

Arrays = tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]


def world(rows: int, seed: int = 0, statistics: int = 2, noise: float = 0.02) -> Arrays:
    """Candidates, their statistics (the first a cost that helps, then noise) and noisy scores of a smooth function."""
    rng = np.random.default_rng(seed)
    x_NF = encode(SPACE, uniform(SPACE, rows, rng))
    kernels_N = x_NF[:, :4].sum(axis=1).astype(np.float64)
    s_NK = np.concatenate([kernels_N[:, None], rng.normal(size=(rows, max(statistics - 1, 0)))], axis=1)[:, :statistics]
    rate_N = x_NF[:, LAYOUT.columns.index("recipe.rate")]
    hswish_N = x_NF[:, LAYOUT.columns.index("architecture.act=1")]
    y_N = 0.1 * kernels_N - (rate_N - 0.6) ** 2 + 0.1 * hswish_N + noise * rng.normal(size=rows)
    return x_NF, s_NK, 0.7 + 0.2 * y_N

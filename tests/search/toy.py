"""A small space with conditions, a cost and a score, for the tests of samplers."""

from typing import Any

import numpy as np

from search.problem.limits import Limits
from search.problem.problem import Observations, Problem
from search.samplers.protocol import Offer
from spaces.dimensions import Choice, Integer, Real
from spaces.sampling import uniform
from spaces.space import Codes, Condition, Space

LIMIT = 60.0

SPACE = Space(
    name="toy",
    backbone="none",
    architecture={
        "width": Integer(low=1, high=8),
        "depth": Integer(low=1, high=6),
        "block": Choice(values=("plain", "wide", "deep")),
        "groups": Choice(values=(1, 2, 4), ordered=True),
    },
    recipe={
        "optimizer": Choice(values=("sgd", "adam")),
        "momentum": Real(low=0.5, high=0.99, levels=5),
        "lr": Real(low=1e-3, high=1.0, levels=6, log=True),
    },
    conditions={
        "architecture.groups": Condition(parent="architecture.block", values=("wide", "deep")),
        "recipe.momentum": Condition(parent="recipe.optimizer", values=("sgd",)),
    },
)


def macs(codes_ND: Codes) -> dict[str, np.ndarray]:
    """(1 + width) * (1 + depth), doubled for deep blocks."""
    area = (1.0 + codes_ND[:, 0]) * (1.0 + codes_ND[:, 1])
    return {"macs": area * np.where(codes_ND[:, 2] == 2, 2.0, 1.0)}


def score(codes_ND: Codes) -> np.ndarray:
    return np.log(macs(codes_ND)["macs"]) - 0.3 * np.abs(codes_ND[:, 6] - 3) + 0.1 * codes_ND[:, 4]


def problem(limit: float = LIMIT, pool: Codes | None = None) -> Problem:
    budgets = tuple(Limits(max_macs=limit * share) for share in (0.25, 0.5, 1.0))
    return Problem(
        space=SPACE,
        costs=macs,
        statistics=lambda codes_ND: np.log(macs(codes_ND)["macs"])[:, None],
        limits=budgets[-1],
        budgets=budgets,
        pool=pool,
    )


NOTHING = Observations(codes_ND=np.zeros((0, 7), dtype=np.int16), score_N=np.zeros(0))


def some(n: int, seed: int = 0) -> Observations:
    codes_ND = np.unique(uniform(SPACE, 8 * n, np.random.default_rng(seed)), axis=0)
    codes_ND = codes_ND[problem().feasible(codes_ND)]
    codes_ND = np.random.default_rng(seed).permutation(codes_ND)[:n]
    return Observations(codes_ND=codes_ND, score_N=score(codes_ND))


def offer(where: Problem | None = None, seed: int = 0, **more: Any) -> Offer:
    return Offer(problem=where or problem(), seed=seed, **more)

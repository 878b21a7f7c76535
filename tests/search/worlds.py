"""Small made-up problems whose optimum can be enumerated: spaces with conditions, chain costs, a known score."""

import itertools
from dataclasses import dataclass

import numpy as np

from predictors.protocol import Floats, Prediction
from search.problem.limits import Costs, Limits
from search.problem.problem import Problem
from spaces.dimensions import Choice, Real
from spaces.encoding import encode
from spaces.space import Codes, Condition, Space


def space(widths: int = 4, levels: int = 4) -> Space:
    """A chain of ``widths`` layers and a recipe with a condition."""
    architecture = {f"width.{i}": Choice(values=tuple(range(2, 2 + levels)), ordered=True) for i in range(widths)}
    recipe = {
        "optimizer.name": Choice(values=("sgd", "adam", "rms")),
        "optimizer.lr": Real(low=0.01, high=1.0, levels=5, log=True),
        "optimizer.momentum": Choice(values=(0.0, 0.9, 0.99), ordered=True),
    }
    conditions = {
        "recipe.optimizer.momentum": Condition(parent="recipe.optimizer.name", values=("sgd", "rms")),
    }
    return Space(name="chain", backbone="none", architecture=architecture, recipe=recipe, conditions=conditions)


def nested_space() -> Space:
    """Conditions two deep, on genes that are no neighbours."""
    architecture = {
        "family": Choice(values=("a", "b")),
        "width": Choice(values=(1, 2, 3), ordered=True),
        "attention": Choice(values=("none", "full")),
        "heads": Choice(values=(1, 2, 4), ordered=True),
        "groups": Choice(values=(1, 2), ordered=True),
    }
    conditions = {
        "architecture.attention": Condition(parent="architecture.family", values=("b",)),
        "architecture.heads": Condition(parent="architecture.attention", values=("full",)),
        "architecture.groups": Condition(parent="architecture.family", values=("a",)),
    }
    return Space(name="nested", backbone="none", architecture=architecture, recipe={}, conditions=conditions)


@dataclass(frozen=True)
class Truth:
    """A smooth random score of the encoded columns with interactions; its spread grows with the last column."""

    linear_F: Floats
    pair_FF: Floats
    wave_F: Floats
    statistics_weight: float = 0.0

    @classmethod
    def random(cls, width: int, seed: int, statistics_weight: float = 0.0) -> "Truth":
        rng = np.random.default_rng(seed)
        return cls(
            rng.normal(size=width), 0.5 * rng.normal(size=(width, width)), rng.normal(size=width), statistics_weight
        )

    def pretrain(self, x_NF: Floats, s_NK: Floats) -> None:
        """Nothing to learn."""

    def fit(self, x_NF: Floats, s_NK: Floats, y_N: Floats) -> None:
        """Nothing to learn."""

    def predict(self, x_NF: Floats, s_NK: Floats) -> Prediction:
        x = x_NF.astype(np.float64)
        mean_N = x @ self.linear_F + np.einsum("nf,fg,ng->n", x, self.pair_FF, x) + 0.3 * np.sin(3 * x @ self.wave_F)
        mean_N = mean_N + self.statistics_weight * s_NK.sum(axis=1)
        return Prediction(mean_N=mean_N, std_N=0.1 + 0.5 * x[:, -1])


def chain_costs(chain: Space, codes_ND: Codes) -> Costs:
    """Multiply-accumulates of neighbouring widths, and parameters that are a sum over layers."""
    widths = np.stack(list(chain.values(codes_ND, "architecture").values()), axis=1).astype(np.int64)
    macs_N = 3 * widths[:, 0] + (widths[:, 1:] * widths[:, :-1]).sum(axis=1)
    return {"macs": macs_N, "params": 7 * widths.sum(axis=1)}


def problem(chain: Space, limits: Limits | None = None) -> Problem:
    """The chain as a problem; its one statistic is the logarithm of the macs."""
    return Problem(
        space=chain,
        costs=lambda codes_ND: chain_costs(chain, codes_ND),
        statistics=lambda codes_ND: np.log(chain_costs(chain, codes_ND)["macs"].astype(np.float64))[:, None],
        limits=limits or Limits(),
        budgets=(),
        logarithms={"macs": 0},
    )


def members(chain: Space) -> Codes:
    """All members by plain loops: the oracle of every enumeration."""
    rows = itertools.product(*(range(-1, size) for size in chain.sizes_D.tolist()))
    codes_ND = np.array(list(rows), dtype=np.int16)
    return codes_ND[chain.contains(codes_ND)]


def true_values(world: Problem, truth: Truth, codes_ND: Codes, confidence: float = 0.0) -> Floats:
    """The objective of every row."""
    prediction = truth.predict(encode(world.space, codes_ND), world.statistics(codes_ND))
    return prediction.mean_N - confidence * prediction.std_N

"""A recorded table as a model of its whole space: what training any candidate of it would give, with its noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from predictors.protocol import Predictor
from search.learning import earlier, fitting, recorded
from search.problem.limits import Costs, Limits
from search.problem.problem import Observations, Problem
from search.replay import tables
from spaces import components
from spaces.codes import row_keys
from spaces.mistake import Mistake
from spaces.space import Codes, Space
from trainables.counting.statistics import count, free_statistics

Floats = NDArray[np.float64]

PREDICTOR = "boosting"
"""Trees: no model of the samplers that are compared, whose own view of the space would be the truth otherwise."""

FOLDS = 5
FEWEST = 50
"""Rows that a model of a space is fitted to at least."""
NEAREST = 10
"""Candidates, trained several times, whose deviations a score's noise is drawn from: those of the most similar mean."""
SHAPE = ("classes", "channels")


@dataclass(frozen=True, kw_only=True, eq=False)
class Surrogate:
    """What training would give.

    Attributes:
        table: name of the recorded table.
        problem: the whole space, with the budgets of the table.
        rows: the candidates that were recorded, with their mean scores.
        model: fitted to the rows.
        predictor: its file in ``predictors``.
        repeated_RS: scores of the candidates that were trained several times, NaN where a training is missing.
    """

    table: str
    problem: Problem
    rows: Observations
    model: Predictor
    predictor: str
    repeated_RS: Floats

    @classmethod
    def of(cls, path: Path, *, budgets: int, spacing: tables.Spacing, predictor: str = PREDICTOR) -> Self:
        """The model of a table written by ``search record``.

        Args:
            path: ``NAME.json``.
            budgets: members of the family.
            spacing: of the budgets, which are those of the replay of the table's rows.
            predictor: file in ``predictors``.

        Raises:
            Mistake: the table does not say what lies between its rows, or has too few of them.
        """
        description, frame = recorded.read(path)
        space = space_of(path)
        if len(frame) < FEWEST:
            raise Mistake(
                f"{path} has {len(frame)} rows; a model of a space needs at least {FEWEST}: record more "
                "candidates, or play the table without --surrogate"
            )
        rows = earlier.of_table(path, space).observations(space)
        limits = tables.problem(tables.load(path), budgets, spacing=spacing).budgets
        problem = _problem(space, description["shape"], limits)
        model = fitting.learn(predictor, problem, rows, rng=np.random.default_rng(0), free_ND=rows.codes_ND)
        return cls(
            table=path.stem,
            problem=problem,
            rows=rows,
            model=model,
            predictor=predictor,
            repeated_RS=_repeated(path, description["metric"], frame),
        )

    def truth(self, codes_ND: Codes) -> Floats:
        """Mean score over trainings of each candidate, shape (N,), higher is better."""
        return fitting.predict(self.model, self.problem, codes_ND).mean_N

    def scores(self, codes_ND: Codes, seed: int) -> Floats:
        """Score of one training of each candidate, shape (N,): the same for the same candidate and seed."""
        truth_N = self.truth(codes_ND)
        if not len(self.repeated_RS):
            return truth_N
        noise = [self._noise(key, truth, seed) for key, truth in zip(row_keys(codes_ND), truth_N, strict=True)]
        noisy_N: Floats = truth_N + np.array(noise)
        return noisy_N

    def _noise(self, key: bytes, truth: float, seed: int) -> float:
        rng = np.random.default_rng([seed, *np.frombuffer(bytes(key), dtype=np.uint8).tolist()])
        mean_R, deviations = self._deviations
        near = np.argsort(np.abs(mean_R - truth), kind="stable")[:NEAREST]
        return float(rng.choice(deviations[rng.choice(near)]))

    @cached_property
    def _deviations(self) -> tuple[Floats, list[Floats]]:
        """Mean of each repeated candidate, and its trainings' deviations, made as wide as those from a true mean."""
        finite = [scores_S[np.isfinite(scores_S)] for scores_S in self.repeated_RS]
        means = np.array([scores.mean() for scores in finite])
        return means, [(scores - scores.mean()) * np.sqrt(len(scores) / (len(scores) - 1)) for scores in finite]

    def describe(self) -> list[str]:
        """How good the model is, in sentences."""
        cost_N = np.asarray(self.problem.costs(self.rows.codes_ND)[self.cost])
        third_N = np.searchsorted(np.quantile(cost_N, [1 / 3, 2 / 3]), cost_N)
        by_third = [self.rank_correlation(third_N == third) for third in range(3)]
        sentences = [
            f"surrogate of '{self.table}' ('{self.predictor}', {len(cost_N)} rows): rank correlation (Spearman) on "
            f"held-out rows {self.rank_correlation(cost_N > 0):.3f}; within the cheapest, middle and costliest third "
            + ", ".join(f"{value:.3f}" for value in by_third)
        ]
        if not len(self.repeated_RS):
            return [*sentences, "no candidate was trained twice: scores are shown without noise"]
        spread = np.sqrt(np.mean([np.mean(deviation**2) for deviation in self._deviations[1]]))
        return [
            *sentences,
            f"noise of one training: standard deviation {spread:.4f}, from {len(self.repeated_RS)} candidates that "
            "were trained several times",
        ]

    @cached_property
    def held_out_N(self) -> Floats:
        """What models that were fitted to the other folds say of each row, shape (N,)."""
        rows, problem = self.rows, self.problem
        fold_N = np.random.default_rng(0).permutation(len(rows.codes_ND)) % FOLDS
        held_out_N = np.empty(len(fold_N))
        for fold in range(FOLDS):
            seen = Observations(codes_ND=rows.codes_ND[fold_N != fold], score_N=rows.score_N[fold_N != fold])
            rng = np.random.default_rng(0)
            model = fitting.learn(self.predictor, problem, seen, rng=rng, free_ND=rows.codes_ND)
            held_out_N[fold_N == fold] = fitting.predict(model, problem, rows.codes_ND[fold_N == fold]).mean_N
        return held_out_N

    def rank_correlation(self, which_N: NDArray[np.bool_]) -> float:
        """Spearman's correlation of held-out predictions and recorded scores of some rows."""
        return float(stats.spearmanr(self.held_out_N[which_N], self.rows.score_N[which_N])[0])

    @property
    def cost(self) -> str:
        """The cost that the budgets bound."""
        return next(iter(self.problem.budgets[0].bounds()))


def space_of(path: Path) -> Space:
    """The space that a table was recorded on, with no other values than the table's.

    Raises:
        Mistake: the table does not name one that exists, was recorded on another version of it, or does not say what
            its candidates were trained on.
    """
    description = recorded.describe(path)
    name, shape = description.get("space"), description.get("shape")
    if not isinstance(name, str) or not isinstance(shape, dict) or not set(SHAPE) <= set(shape):
        raise Mistake(
            f"{path} names no space and shape (classes, channels), so nothing says what lies between its rows: "
            "--surrogate plays tables written by 'search record'; play this one without it"
        )
    known = components.names(components.SPACES)
    if name not in known:
        raise Mistake(f"{path} was recorded on the space '{name}', which is not among {', '.join(known)}")
    space: Space = components.load(components.SPACES, name).space()
    reason = earlier.strangers(earlier.values_of(description), space)
    if reason:
        raise Mistake(f"{path} was recorded on another version of the space '{name}': {reason}")
    return space.restrict(
        {
            address: _of_space(path, space, address, values)
            for address, values in earlier.values_of(description).items()
            if address in space.addresses
        }
    )


def _of_space(path: Path, space: Space, address: str, values: Sequence[Any]) -> list[Any]:
    """A table's values of one dimension, of the space's type."""
    known = {str(value): value for value in space.dimension(address).values}
    unknown = [value for value in values if str(value) not in known and value != recorded.INACTIVE]
    if unknown:
        raise Mistake(
            f"{path} was recorded on another version of the space '{space.name}': the space has no "
            f"{address} {unknown[0]!r}"
        )
    return [known[str(value)] for value in values if value != recorded.INACTIVE]


def _problem(space: Space, shape: dict[str, int], budgets: tuple[Limits, ...]) -> Problem:
    sizes = {name: shape[name] for name in SHAPE}

    def costs(codes_ND: Codes) -> Costs:
        return count(space, codes_ND, **sizes).costs()

    def statistics(codes_ND: Codes) -> Floats:
        return free_statistics(space, codes_ND, count(space, codes_ND, **sizes))[0]

    first_1D = space.complete(*[np.zeros((1, len(space.dimensions)), dtype=np.int16)] * 2)
    names = free_statistics(space, first_1D, count(space, first_1D, **sizes))[1]
    return Problem(
        space=space,
        costs=costs,
        statistics=statistics,
        limits=budgets[-1],
        budgets=budgets,
        logarithms={name: names.index(f"log_{name}") for name in ("macs", "params", "activations")},
    )


def _repeated(path: Path, metric: dict[str, Any], frame: Any) -> Floats:
    """Scores of the candidates that were trained at least twice, shape (R, S)."""
    columns = metric.get("seed_columns") or []
    scores_NS: Floats = recorded.sign_of(path, metric) * frame[columns].to_numpy(dtype=np.float64, na_value=np.nan)
    repeated_RS: Floats = scores_NS[np.isfinite(scores_NS).sum(axis=1) >= 2]
    return repeated_RS

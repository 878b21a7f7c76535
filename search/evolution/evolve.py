"""Stage 2: one evolution on the predictor finds the best pair for every budget at once.

FBNetV3 (section 3.3) runs a genetic search per constraint. Here every candidate is offered to all budgets, so a child
bred for one budget may win another, and costs are exact: a candidate outside a budget is never kept for it.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.protocol import Predictor
from search.evolution.archive import Archive
from search.evolution.ceiling import proven
from search.evolution.generations import ORIGINS, WHOLE, Evolution, Score
from search.problem.limits import Limits, describe_limits, tighten, unreachable
from search.problem.problem import Problem
from search.problem.restriction import Lift
from spaces.codes import members
from spaces.mistake import Mistake
from spaces.sampling import uniform
from spaces.space import Codes

STARTS = 64
"""Best trials that an evolution starts from."""

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Pick:
    """The candidate chosen for a budget.

    Attributes:
        codes: its row of codes, shape (D,).
        mean: predicted score.
        std: standard deviation of the predicted score.
        costs: its exact costs by name.
        budget: the limits it was chosen for.
        upper: no candidate within the budget has an objective (mean - confidence * std) above this.
        certain: whether ``upper`` is proven: all candidates were scored, or the predictor proves it (``ceiling.py``).
            Otherwise it is the estimate.
        estimate: where not all were scored, the usually much tighter estimate of ``chain.py``.
        why: one sentence for people.
    """

    codes: Codes
    mean: float
    std: float
    costs: Mapping[str, float]
    budget: Limits
    upper: float
    certain: bool
    estimate: float
    why: str


def evolve(
    problem: Problem,
    predictor: Predictor,
    *,
    budgets: Sequence[Limits],
    start_ND: Codes,
    rng: np.random.Generator,
    generations: int = 60,
    children: int = 16_384,
    scored: int = 400,
    samples: int = 1000,
    tolerance: float = 1e-4,
    patience: int = 6,
    seconds: float | None = None,
    confidence: float = 0.0,
    per_budget: int = 1,
    elite: int = 24,
    enumerate_up_to: int = 100_000,
    lift: Lift | None = None,
) -> tuple[Pick, ...]:
    """Find the candidates with the highest mean - confidence * std within each budget.

    Deterministic given ``rng``, unless ``seconds`` ends it.

    Args:
        problem: the space, its exact costs and statistics; ``problem.limits`` hold besides every budget.
        predictor: fitted; higher is better.
        budgets: limits of each pick.
        start_ND: members of the space to start from, for example the best trials; shape (N, D), N may be 0.
        rng: the only source of randomness.
        generations: at most so many.
        children: candidates bred in a generation and scored by a fast student of the predictor.
        scored: at most so many of them are scored by the predictor itself.
        samples: predictions the student learns from.
        tolerance: a generation whose largest gain over the budgets is not above this brings the end nearer.
        patience: so many such generations in a row, and no better neighbour of any pick, end the evolution. Neighbours
            differ in one choice, or in two where those are few (``search.evolution.generations.PAIRS``).
        seconds: stop after this time; results then depend on the machine. ``None`` is no time limit.
        confidence: how many standard deviations to subtract (against over-optimism).
        per_budget: different picks wanted per budget.
        elite: candidates kept per budget.
        enumerate_up_to: a space (or pool) of at most so many candidates is scored whole: the answer is then exact.
        lift: to the space that the predictor was fitted in, where ``problem.space`` is a restriction of it.

    Returns:
        The picks, budget after budget, best first; fewer than ``per_budget`` where fewer exist.

    Raises:
        UnreachableLimit: a budget that no candidate was found for; names the smallest value found.
        Mistake: a number of picks or a confidence that makes no sense, or a limit on a cost that is not known.
        ValueError: no budgets, a start outside the space, or too few samples.
    """
    at_least_one = {"children": children, "scored": scored, "patience": patience, "per_budget": per_budget}
    _check(problem, budgets, start_ND, confidence, samples, at_least_one | {"elite": elite})
    score = Score(problem, predictor, confidence, lift)
    inside = tuple(tighten(budget, problem.limits) for budget in budgets)
    archive = Archive(inside, len(problem.space.dimensions), max(elite, per_budget))
    whole = problem.pool
    if whole is None and problem.space.count() <= enumerate_up_to:
        whole = members(problem.space)
    proven_K: Values | None
    if whole is not None:
        _offer_all(archive, score, whole)
        estimate_K = proven_K = archive.best_K
    else:
        until = None if seconds is None else time.monotonic() + seconds
        evolution = Evolution(score, archive, rng, children, scored, samples)
        evolution.start(start_ND)
        evolution.run(generations, tolerance, patience, until)
        estimate_K, proven_K = evolution.upper(), proven(problem, predictor, inside, lift)
    return _picks(archive, score, budgets, per_budget, estimate_K, proven_K)


def _offer_all(archive: Archive, score: Score, whole_ND: Codes) -> None:
    costs = score.problem.costs(whole_ND)
    for budget in archive.budgets:
        if not budget.allow(costs).any():
            smallest = {name: float(np.min(costs[name])) for name in budget.bounds()}
            raise unreachable(score.problem.space.name, budget, smallest, "the smallest of all candidates")
    archive.update(whole_ND, score(whole_ND), costs, WHOLE)


def _picks(
    archive: Archive,
    score: Score,
    budgets: Sequence[Limits],
    per_budget: int,
    estimate_K: Values,
    proven_K: Values | None,
) -> tuple[Pick, ...]:
    picks: list[Pick] = []
    for k, budget in enumerate(budgets):
        count = min(per_budget, int(archive.filled_K[k]))
        codes_ND = archive.codes_KED[k, :count]
        prediction, costs = score.predict(codes_ND), score.problem.costs(codes_ND)
        for row in range(count):
            picks.append(
                Pick(
                    codes=codes_ND[row].copy(),
                    mean=float(prediction.mean_N[row]),
                    std=float(prediction.std_N[row]),
                    costs={name: float(cost_N[row]) for name, cost_N in costs.items()},
                    budget=budget,
                    upper=float(estimate_K[k] if proven_K is None else proven_K[k]),
                    certain=proven_K is not None,
                    estimate=float(estimate_K[k]),
                    why=_why(row, score, budget, ORIGINS[archive.origin_KE[k, row]]),
                )
            )
    return tuple(picks)


def _why(rank: int, score: Score, budget: Limits, origin: str) -> str:
    place = "highest" if rank == 0 else f"number {rank + 1} in"
    objective = "predicted score"
    if score.confidence:
        objective += f" minus {score.confidence:g} standard deviations"
    return f"{place} {objective} of {score.count:,} scored, {describe_limits(budget)}; {origin}"


def _check(
    problem: Problem,
    budgets: Sequence[Limits],
    start_ND: Codes,
    confidence: float,
    samples: int,
    at_least_one: Mapping[str, int],
) -> None:
    if not budgets:
        raise ValueError("evolve needs at least one budget")
    for name, value in at_least_one.items():
        if value < 1:
            raise Mistake(f"{name} must be at least 1, given {value}")
    if samples < 20:
        raise ValueError(f"samples must be at least 20 for the student to learn anything, given {samples}")
    if not np.isfinite(confidence) or confidence < 0:
        raise Mistake(f"confidence must be finite and at least 0, given {confidence}")
    known = problem.costs(uniform(problem.space, 1, np.random.default_rng(0)))
    for name in (name for budget in (*budgets, problem.limits) for name in budget.bounds()):
        if name not in known:
            raise Mistake(f"max_{name} limits a cost that is not known here; known: {', '.join(known)}")
    if len(start_ND) and not problem.space.contains(start_ND).all():
        raise ValueError(f"a start is not a member of space '{problem.space.name}'")

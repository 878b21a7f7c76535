"""Stage 2: one evolution on the predictor finds the best pair for every budget at once.

FBNetV3 (section 3.3) runs a genetic search per constraint. Here every candidate is offered to all budgets, so a child
bred for one budget may win another, and costs are exact: a candidate outside a budget is never kept for it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.protocol import Prediction, Predictor
from search.archive import Archive, everybody, fingerprint, first_of_each
from search.limits import Costs, Limits, UnreachableLimit
from search.problem import Problem
from spaces.encoding import encode
from spaces.sampling import uniform
from spaces.space import Codes
from spaces.variation import cross_over, mutate, neighbours

CHUNK = 8192
ORIGINS = ("given to start from", "fresh sample", "bred by evolution", "scored with the whole space")
START, FRESH, BRED, WHOLE = range(len(ORIGINS))

Values = NDArray[np.float64]
Screen = Callable[[Codes], Values]
"""A fast approximation of the objective: codes_ND -> value_N. Only the order matters."""


@dataclass(frozen=True, kw_only=True)
class Pick:
    """The candidate chosen for a budget.

    Attributes:
        codes: its row of codes, shape (D,).
        mean: predicted score.
        std: standard deviation of the predicted score.
        costs: its exact costs by name.
        budget: the limits it was chosen for.
        why: one sentence for people.
    """

    codes: Codes
    mean: float
    std: float
    costs: Mapping[str, float]
    budget: Limits
    why: str


class Judge:
    """The full predictor's opinion: mean - confidence * std, in chunks; counts what it was asked."""

    def __init__(self, problem: Problem, predictor: Predictor, confidence: float) -> None:
        self.problem, self.predictor, self.confidence = problem, predictor, confidence
        self.asked = 0

    def predict(self, codes_ND: Codes) -> Prediction:
        x_NF = encode(self.problem.space, codes_ND)
        return self.predictor.predict(x_NF, self.problem.statistics(codes_ND))

    def __call__(self, codes_ND: Codes) -> Values:
        self.asked += len(codes_ND)
        parts = [self.predict(codes_ND[start : start + CHUNK]) for start in range(0, len(codes_ND), CHUNK)]
        values = [part.mean_N - self.confidence * part.std_N for part in parts]
        return np.concatenate(values) if values else np.empty(0)


def evolve(
    problem: Problem,
    predictor: Predictor,
    *,
    budgets: Sequence[Limits],
    start_ND: Codes,
    rng: np.random.Generator,
    generations: int = 60,
    children: int = 2000,
    tolerance: float = 1e-6,
    patience: int = 6,
    seconds: float | None = None,
    confidence: float = 0.0,
    per_budget: int = 1,
    elite: int = 24,
    enumerate_up_to: int = 20_000,
    screen: Screen | None = None,
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
        children: candidates bred in a generation.
        tolerance: a generation whose largest gain over the budgets is below this brings the end nearer.
        patience: so many such generations in a row end the evolution.
        seconds: stop after this time; results then depend on the machine. ``None`` is no time limit.
        confidence: how many standard deviations to subtract (against over-optimism).
        per_budget: different picks wanted per budget.
        elite: candidates kept per budget.
        enumerate_up_to: a space (or pool) of at most so many candidates is scored whole: the answer is then exact.
        screen: a fast student of the objective; only its best ``children`` out of 32 times as many are judged.

    Returns:
        The picks, budget after budget, best first; fewer than ``per_budget`` where fewer exist.

    Raises:
        UnreachableLimit: a budget that no candidate was found for; names the smallest value found.
        ValueError: no budgets, a start outside the space, or a number that makes no sense.
    """
    _check(problem, budgets, start_ND, children, patience, confidence, per_budget, elite)
    judge = Judge(problem, predictor, confidence)
    inside = tuple(_tighten(budget, problem.limits) for budget in budgets)
    archive = Archive(inside, len(problem.space.dimensions), max(elite, per_budget))
    whole = problem.pool
    if whole is None and problem.space.count() <= enumerate_up_to:
        whole = everybody(problem.space)
    if whole is not None:
        _need_reachable(inside, problem.costs(whole))
        archive.update(whole, judge(whole), problem.costs(whole), WHOLE)
    else:
        until = None if seconds is None else time.monotonic() + seconds
        evolution = _Evolution(problem, judge, archive, rng, children, screen)
        evolution.start(start_ND)
        evolution.run(generations, tolerance, patience, until)
    return _picks(archive, judge, budgets, per_budget)


class _Evolution:
    """The state of one run: the archive, what was judged, what was expanded."""

    def __init__(
        self,
        problem: Problem,
        judge: Judge,
        archive: Archive,
        rng: np.random.Generator,
        children: int,
        screen: Screen | None,
    ) -> None:
        self.problem, self.judge, self.archive, self.rng = problem, judge, archive, rng
        self.children, self.screen = children, screen
        self.judged: set[bytes] = set()
        self.expanded: set[bytes] = set()

    def offer(self, codes_ND: Codes, origin: int) -> None:
        """Judge those not judged before that fit some budget, and let the budgets choose."""
        costs = self.problem.costs(codes_ND)
        fits_N = np.any([budget.allow(costs) for budget in self.archive.budgets], axis=0)
        rows = np.flatnonzero(fits_N)
        keys = [key.tobytes() for key in fingerprint(codes_ND[rows])]
        new = [row for row, key in zip(rows.tolist(), keys, strict=True) if key not in self.judged]
        self.judged.update(keys)
        if new:
            chosen = codes_ND[new]
            kept = {name: cost_N[new] for name, cost_N in costs.items()}
            self.archive.update(chosen, self.judge(chosen), kept, origin)

    def start(self, start_ND: Codes) -> None:
        space = self.problem.space
        if len(start_ND):
            self.offer(_distinct(start_ND), START)
        fresh = [uniform(space, self.children, self.rng)]
        fresh += [reach(self.problem, budget, 16, self.rng) for budget in self.archive.budgets]
        self.offer(_distinct(np.concatenate(fresh)), FRESH)

    def run(self, generations: int, tolerance: float, patience: int, until: float | None) -> None:
        idle = 0
        for _ in range(generations):
            if idle >= patience or (until is not None and time.monotonic() >= until):
                return
            before_K = self.archive.best_K
            around_ND = self._around()
            self.offer(_distinct(np.concatenate([around_ND, self._bred()])), BRED)
            gained = float(np.max(self.archive.best_K - before_K)) > tolerance
            idle = 0 if gained else idle + 1

    def _around(self) -> Codes:
        """All one-change neighbours of the best members not expanded before, about ``children`` of them."""
        members = self.archive.members()
        keys = [key.tobytes() for key in fingerprint(members)]
        each = max(1, int((self.problem.space.sizes_D - 1).sum()))
        fresh = [row for row, key in enumerate(keys) if key not in self.expanded]
        fresh = fresh[: max(1, self.children // each)]
        self.expanded.update(keys[row] for row in fresh)
        return _around(self.problem, members[fresh])

    def _bred(self) -> Codes:
        """Children of two members each: crossed over, then mutated in one to four dimensions on average."""
        space, rng = self.problem.space, self.rng
        members = self.archive.members()
        count = self.children * (32 if self.screen is not None else 1)
        parents = members[rng.integers(len(members), size=count)]
        half = count // 2
        mates = members[rng.integers(len(members), size=half)]
        crossed = np.concatenate([cross_over(space, parents[:half], mates, rng), parents[half:]])
        blocks = np.array_split(rng.permutation(count), 3)
        bred = [
            mutate(space, crossed[b], rng, min(1.0, r / len(space.dimensions)))
            for b, r in zip(blocks, (1, 2, 4), strict=True)
        ]
        rows = _distinct(np.concatenate(bred))
        return rows if self.screen is None else self._screened(rows)

    def _screened(self, codes_ND: Codes) -> Codes:
        """The best children of each budget in the opinion of the screen, ``children`` in all."""
        assert self.screen is not None
        costs, value_N = self.problem.costs(codes_ND), self.screen(codes_ND)
        places = max(1, self.children // len(self.archive.budgets))
        kept = []
        for budget in self.archive.budgets:
            rows = np.flatnonzero(budget.allow(costs))
            kept.append(rows[np.argsort(-value_N[rows], kind="stable")[:places]])
        return codes_ND[np.unique(np.concatenate(kept))]


def reach(problem: Problem, budget: Limits, count: int, rng: np.random.Generator) -> Codes:
    """Candidates within a budget, however tight: random samples, then steps that lower the largest excess.

    Returns:
        Between 1 and ``count`` candidates, shape (N, D).

    Raises:
        UnreachableLimit: no step lowers the excess any further; names the smallest value found.
    """
    rows_ND = uniform(problem.space, max(512, 8 * count), rng)
    for _ in range(64 * len(problem.space.dimensions)):
        excess_N = _excess(budget, problem.costs(rows_ND))
        order = np.argsort(excess_N, kind="stable")[:count]
        if excess_N[order[0]] <= 0:
            return rows_ND[order[excess_N[order] <= 0]]
        best_ND = rows_ND[order]
        around_ND = _around(problem, best_ND[:4])
        if not len(around_ND) or _excess(budget, problem.costs(around_ND)).min() >= excess_N[order[0]]:
            break
        rows_ND = _distinct(np.concatenate([best_ND, around_ND]))
    costs = problem.costs(rows_ND)
    raise UnreachableLimit(_unreachable(budget, costs))


def _around(problem: Problem, codes_ND: Codes) -> Codes:
    empty_ND = np.empty((0, len(problem.space.dimensions)), dtype=np.int16)
    return np.concatenate([empty_ND, *(neighbours(problem.space, codes_D) for codes_D in codes_ND)])


def _excess(budget: Limits, costs: Costs) -> Values:
    """Largest relative excess over the bounds, shape (N,); at most 0 within the budget."""
    parts = [(costs[name] - bound) / max(abs(bound), 1e-12) for name, bound in budget.bounds().items()]
    length = len(next(iter(costs.values())))
    return np.max(parts, axis=0).astype(np.float64) if parts else np.zeros(length)


def _need_reachable(budgets: Sequence[Limits], costs: Costs) -> None:
    for budget in budgets:
        if not budget.allow(costs).any():
            raise UnreachableLimit(_unreachable(budget, costs))


def _unreachable(budget: Limits, costs: Costs) -> str:
    asked = describe_limits(budget)
    smallest = ", ".join(f"{name} {float(np.min(costs[name])):,.6g}" for name in budget.bounds())
    return f"no candidate lies within {asked}; the smallest reached: {smallest}. Raise the limit"


def describe_limits(budget: Limits) -> str:
    """A budget in words: ``macs <= 40,000,000``."""
    return " and ".join(f"{name} <= {bound:,.6g}" for name, bound in budget.bounds().items()) or "no limit"


def _tighten(budget: Limits, hard: Limits) -> Limits:
    bounds = hard.bounds()
    for name, bound in budget.bounds().items():
        bounds[name] = min(bound, bounds.get(name, bound))
    return Limits(**{f"max_{name}": bound for name, bound in bounds.items()})


def _distinct(codes_ND: Codes) -> Codes:
    return codes_ND[first_of_each(codes_ND)]


def _picks(archive: Archive, judge: Judge, budgets: Sequence[Limits], per_budget: int) -> tuple[Pick, ...]:
    picks: list[Pick] = []
    for k, budget in enumerate(budgets):
        taken = min(per_budget, int(archive.filled_K[k]))
        codes_ND = archive.codes_KED[k, :taken]
        prediction, costs = judge.predict(codes_ND), judge.problem.costs(codes_ND)
        for row in range(taken):
            picks.append(
                Pick(
                    codes=codes_ND[row].copy(),
                    mean=float(prediction.mean_N[row]),
                    std=float(prediction.std_N[row]),
                    costs={name: float(cost_N[row]) for name, cost_N in costs.items()},
                    budget=budget,
                    why=_why(row, judge, budget, ORIGINS[archive.origin_KE[k, row]]),
                )
            )
    return tuple(picks)


def _why(rank: int, judge: Judge, budget: Limits, origin: str) -> str:
    place = "highest" if rank == 0 else f"number {rank + 1} in"
    objective = "predicted score"
    if judge.confidence:
        objective += f" minus {judge.confidence:g} standard deviations"
    return f"{place} {objective} of {judge.asked:,} judged, {describe_limits(budget)}; {origin}"


def _check(
    problem: Problem,
    budgets: Sequence[Limits],
    start_ND: Codes,
    children: int,
    patience: int,
    confidence: float,
    per_budget: int,
    elite: int,
) -> None:
    if not budgets:
        raise ValueError("evolve needs at least one budget")
    if min(children, patience, per_budget, elite) < 1:
        raise ValueError(
            "children, patience, per_budget and elite must be at least 1, "
            f"given {children}, {patience}, {per_budget}, {elite}"
        )
    if not np.isfinite(confidence) or confidence < 0:
        raise ValueError(f"confidence must be finite and at least 0, given {confidence}")
    if len(start_ND) and not problem.space.contains(start_ND).all():
        raise ValueError(f"a start is not a member of space '{problem.space.name}'")

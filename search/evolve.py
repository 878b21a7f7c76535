"""Stage 2: one evolution on the predictor finds the best pair for every budget at once.

FBNetV3 (section 3.3) runs a genetic search per constraint. Here every candidate is offered to all budgets, so a child
bred for one budget may win another, and costs are exact: a candidate outside a budget is never kept for it.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.protocol import Prediction, Predictor
from search.archive import Archive, everybody, fingerprint, first_of_each
from search.breeding import breed, describe_limits, tighten, unreachable
from search.exact import Chain
from search.feasible import sample_within
from search.limits import Limits, UnreachableLimit
from search.narrow import Lift
from search.problem import Problem
from search.screen import Screen, take
from spaces.encoding import encode
from spaces.sampling import uniform
from spaces.space import Codes
from spaces.variation import neighbours

CHUNK = 8192
CHAIN_LESSONS = 600
"""Neighbouring pairs need fewer judgements than all pairs."""
FEW = 8
"""A budget that so few of the first candidates fit gets candidates of its own."""
ORIGINS = (
    "given to start from",
    "fresh sample",
    "bred by evolution",
    "one-change neighbour of a winner",
    "best by its neighbouring genes (dynamic program)",
    "everybody was judged",
)
START, FRESH, BRED, NEAR, EXACT, WHOLE = range(len(ORIGINS))

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
        certain: whether ``upper`` is proven, because everybody was judged; otherwise it is ``search.exact``'s estimate.
        why: one sentence for people.
    """

    codes: Codes
    mean: float
    std: float
    costs: Mapping[str, float]
    budget: Limits
    upper: float
    certain: bool
    why: str


class Judge:
    """The full predictor's opinion: mean - confidence * std, in chunks; counts what it was asked."""

    def __init__(self, problem: Problem, predictor: Predictor, confidence: float, lift: Lift | None) -> None:
        self.problem, self.predictor, self.confidence, self.lift = problem, predictor, confidence, lift
        self.asked = 0

    def predict(self, codes_ND: Codes) -> Prediction:
        if self.lift is None:
            x_NF = encode(self.problem.space, codes_ND)
        else:
            x_NF = encode(self.lift.wide, self.lift(codes_ND))
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
    children: int = 16_384,
    judged: int = 400,
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
        judged: at most so many of them are scored by the predictor itself.
        samples: predictions the student learns from.
        tolerance: a generation whose largest gain over the budgets is not above this brings the end nearer.
        patience: so many such generations in a row, and no better neighbour of any pick, end the evolution.
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
        ValueError: no budgets, a start outside the space, or a number that makes no sense.
    """
    at_least_one = {"children": children, "judged": judged, "patience": patience, "per_budget": per_budget}
    _check(problem, budgets, start_ND, confidence, samples, at_least_one | {"elite": elite})
    judge = Judge(problem, predictor, confidence, lift)
    inside = tuple(tighten(budget, problem.limits) for budget in budgets)
    archive = Archive(inside, len(problem.space.dimensions), max(elite, per_budget))
    whole = problem.pool
    if whole is None and problem.space.count() <= enumerate_up_to:
        whole = everybody(problem.space)
    if whole is not None:
        _offer_all(archive, judge, whole)
        upper_K = archive.best_K
    else:
        until = None if seconds is None else time.monotonic() + seconds
        evolution = _Evolution(judge, archive, rng, children, judged, samples)
        evolution.start(start_ND)
        evolution.run(generations, tolerance, patience, until)
        upper_K = evolution.upper()
    return _picks(archive, judge, budgets, per_budget, upper_K, certain=whole is not None)


def _offer_all(archive: Archive, judge: Judge, whole_ND: Codes) -> None:
    costs = judge.problem.costs(whole_ND)
    for budget in archive.budgets:
        if not budget.allow(costs).any():
            raise UnreachableLimit(unreachable(budget, costs))
    archive.update(whole_ND, judge(whole_ND), costs, WHOLE)


class _Evolution:
    """The state of one run: the archive, all that was judged, the student."""

    def __init__(
        self, judge: Judge, archive: Archive, rng: np.random.Generator, children: int, judged: int, samples: int
    ) -> None:
        self.problem, self.space = judge.problem, judge.problem.space
        self.judge, self.archive, self.rng = judge, archive, rng
        self.children, self.judged, self.samples = children, judged, samples
        self.seen: set[bytes] = set()
        self.codes: list[Codes] = []
        self.values: list[Values] = []
        self.polished: set[bytes] = set()

    def offer(self, codes_ND: Codes, origin: int, *, at_most: int | None = None, lessons: bool = False) -> None:
        """Judge the first ``at_most`` that are new and fit a budget (for ``lessons``: all new ones); budgets choose."""
        costs = self.problem.costs(codes_ND)
        fits_N = np.any([budget.allow(costs) for budget in self.archive.budgets], axis=0) | lessons
        rows: list[int] = []
        for row, key in zip(np.flatnonzero(fits_N).tolist(), _keys(codes_ND[fits_N]), strict=True):
            if key not in self.seen and (at_most is None or len(rows) < at_most):
                self.seen.add(key)
                rows.append(row)
        chosen = np.array(rows, dtype=np.int64)
        if len(chosen):
            value_N = self.judge(codes_ND[chosen])
            self.codes.append(codes_ND[chosen])
            self.values.append(value_N)
            self.archive.update(codes_ND[chosen], value_N, take(costs, chosen), origin)

    def start(self, start_ND: Codes) -> None:
        self.offer(start_ND, START)
        # Half of what the student learns from lies where the search begins, not where the space is largest.
        self.offer(uniform(self.space, self.samples // 2, self.rng), FRESH, lessons=True)
        for k, budget in enumerate(self.archive.budgets):
            if self.archive.filled_K[k] < FEW:
                self.offer(sample_within(self.problem, 16, self.rng, limits=budget), FRESH)
        self.offer(self.bred(self.samples // 2), BRED, lessons=True)
        self.offer(self.chain().starts(), EXACT)

    def bred(self, count: int) -> Codes:
        """Children of the members and, one parent in five, of strangers that keep other regions open."""
        members = self.archive.members()
        strangers = uniform(self.space, 1 + len(members) // 4, self.rng)
        return breed(self.space, np.concatenate([members, strangers]), count, self.rng)

    def run(self, generations: int, tolerance: float, patience: int, until: float | None) -> None:
        idle, learnt, screen = 0, 0, None
        for _ in range(generations):
            if until is not None and time.monotonic() >= until:
                return
            before_K = self.archive.best_K
            if idle >= patience:
                best_ND = self.archive.codes_KED[:, 0]
                if not self.polish(best_ND[first_of_each(best_ND)]):
                    return
            else:
                if screen is None or self.judge.asked >= 3 * learnt:
                    learnt = self.judge.asked
                    screen = self.learn()
                children = self.bred(self.children)
                asked = self.judge.asked
                self.offer(children[screen.choose(children)], BRED, at_most=(self.judged + 1) // 2)
                # The rest goes to neighbours that no student chose: it may be wrong about them.
                self.polish(self.archive.members(), at_most=self.judged - (self.judge.asked - asked))
            gained = float(np.max(self.archive.best_K - before_K)) > tolerance
            idle = 0 if gained else idle + 1

    def learn(self) -> Screen:
        """A new student of everything judged so far."""
        codes_ND, value_N = self.lessons(self.samples)
        places = max(8, 3 * self.judged // len(self.archive.budgets))
        return Screen(self.problem, self.archive.budgets, codes_ND, value_N, places)

    def lessons(self, count: int) -> tuple[Codes, Values]:
        """Up to ``count`` of the candidates judged so far: the latest, and as many of all earlier ones."""
        codes_ND, value_N = np.concatenate(self.codes), np.concatenate(self.values)
        late = max(0, len(codes_ND) - count // 2)
        early = self.rng.permutation(late)[: count - count // 2]
        rows = np.concatenate([np.sort(early), np.arange(late, len(codes_ND))])
        return codes_ND[rows], value_N[rows]

    def chain(self) -> Chain:
        codes_ND, value_N = self.lessons(min(self.samples, CHAIN_LESSONS))
        return Chain(self.space, self.archive.budgets, codes_ND, value_N, self.problem.costs(codes_ND))

    def upper(self) -> Values:
        """Estimated upper bound of the objective within each budget, from everything judged."""
        codes_ND, value_N = np.concatenate(self.codes), np.concatenate(self.values)
        bounds = self.chain().bounds(codes_ND, value_N, self.problem.costs(codes_ND), certain=False)
        return np.array([bound.upper for bound in bounds])

    def polish(self, codes_ND: Codes, at_most: int | None = None) -> int:
        """Judge all neighbours of rows not polished before, best first, until ``at_most`` are judged; how many."""
        rows = [row for row, key in enumerate(_keys(codes_ND)) if key not in self.polished]
        each = max(1, int((self.space.sizes_D - 1).sum()))
        batch = max(1, len(rows)) if at_most is None else max(1, at_most // each)
        asked, done = self.judge.asked, 0
        while done < len(rows) and (at_most is None or self.judge.asked - asked < at_most):
            chosen_ND = codes_ND[rows[done : done + batch]]
            self.polished.update(_keys(chosen_ND))
            self.offer(np.concatenate([neighbours(self.space, codes_D) for codes_D in chosen_ND]), NEAR)
            done += len(chosen_ND)
        return done


def _keys(codes_ND: Codes) -> list[bytes]:
    return [key.tobytes() for key in fingerprint(codes_ND)]


def _picks(
    archive: Archive, judge: Judge, budgets: Sequence[Limits], per_budget: int, upper_K: Values, *, certain: bool
) -> tuple[Pick, ...]:
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
                    upper=float(upper_K[k]),
                    certain=certain,
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
    confidence: float,
    samples: int,
    at_least_one: Mapping[str, int],
) -> None:
    if not budgets:
        raise ValueError("evolve needs at least one budget")
    for name, value in at_least_one.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, given {value}")
    if samples < 20:
        raise ValueError(f"samples must be at least 20 for the student to learn anything, given {samples}")
    if not np.isfinite(confidence) or confidence < 0:
        raise ValueError(f"confidence must be finite and at least 0, given {confidence}")
    known = problem.costs(uniform(problem.space, 1, np.random.default_rng(0)))
    for name in (name for budget in (*budgets, problem.limits) for name in budget.bounds()):
        if name not in known:
            raise ValueError(f"max_{name} limits a cost that is not known here; known: {', '.join(known)}")
    if len(start_ND) and not problem.space.contains(start_ND).all():
        raise ValueError(f"a start is not a member of space '{problem.space.name}'")

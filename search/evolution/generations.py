"""How stage 2's evolution goes: all budgets at once, a student on all, the predictor on the promising."""

import time

import numpy as np
from numpy.typing import NDArray

from predictors.protocol import Prediction, Predictor
from search.evolution.archive import Archive
from search.evolution.chain import Chain
from search.evolution.screen import Screen, take
from search.problem.feasible import sample_within
from search.problem.problem import Problem
from search.problem.restriction import Lift
from spaces.codes import first_of_each, row_keys
from spaces.encoding import encode
from spaces.sampling import uniform
from spaces.space import Codes
from spaces.variation import breed, neighbours

CHUNK = 8192
CHAIN_LESSONS = 600
"""Neighbouring pairs need fewer scores than all pairs."""
FEW = 8
"""A budget that so few of the first candidates fit gets candidates of its own."""
PAIRS = 2000
"""A candidate with at most so many two-change neighbours has them all scored before it is called the best."""
ORIGINS = (
    "given to start from",
    "fresh sample",
    "bred by evolution",
    "neighbour of a winner",
    "best by its neighbouring genes (dynamic program)",
    "all candidates were scored",
)
START, FRESH, BRED, NEAR, CHAIN, WHOLE = range(len(ORIGINS))

Values = NDArray[np.float64]


class Score:
    """The full predictor's opinion: mean - confidence * std, in chunks; counts what it has scored."""

    def __init__(self, problem: Problem, predictor: Predictor, confidence: float, lift: Lift | None) -> None:
        self.problem, self.predictor, self.confidence, self.lift = problem, predictor, confidence, lift
        self.count = 0

    def predict(self, codes_ND: Codes) -> Prediction:
        if self.lift is None:
            x_NF = encode(self.problem.space, codes_ND)
        else:
            x_NF = encode(self.lift.wide, self.lift(codes_ND))
        return self.predictor.predict(x_NF, self.problem.statistics(codes_ND))

    def __call__(self, codes_ND: Codes) -> Values:
        self.count += len(codes_ND)
        parts = [self.predict(codes_ND[start : start + CHUNK]) for start in range(0, len(codes_ND), CHUNK)]
        values = [part.mean_N - self.confidence * part.std_N for part in parts]
        return np.concatenate(values) if values else np.empty(0)


class Evolution:
    """The state of one run: the archive, all that was scored, the student."""

    def __init__(
        self, score: Score, archive: Archive, rng: np.random.Generator, children: int, scored: int, samples: int
    ) -> None:
        self.problem, self.space = score.problem, score.problem.space
        self.score, self.archive, self.rng = score, archive, rng
        self.children, self.scored, self.samples = children, scored, samples
        self.seen: set[bytes] = set()
        self.codes: list[Codes] = []
        self.values: list[Values] = []
        self.polished: set[bytes] = set()
        self.swept: set[bytes] = set()

    def offer(self, codes_ND: Codes, origin: int, *, at_most: int | None = None, lessons: bool = False) -> None:
        """Score the first ``at_most`` that are new and fit a budget (for ``lessons``: all new ones); budgets choose."""
        costs = self.problem.costs(codes_ND)
        fits_N = np.any([budget.allow(costs) for budget in self.archive.budgets], axis=0) | lessons
        rows: list[int] = []
        for row, key in zip(np.flatnonzero(fits_N).tolist(), row_keys(codes_ND[fits_N]).tolist(), strict=True):
            if key not in self.seen and (at_most is None or len(rows) < at_most):
                self.seen.add(key)
                rows.append(row)
        chosen = np.array(rows, dtype=np.int64)
        if len(chosen):
            value_N = self.score(codes_ND[chosen])
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
        self.offer(self.chain().starts(), CHAIN)

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
                best_ND = best_ND[first_of_each(best_ND)]
                if not (self.polish(best_ND) or self.sweep(best_ND)):
                    return
            else:
                if screen is None or self.score.count >= 3 * learnt:
                    learnt = self.score.count
                    screen = self.learn()
                children = self.bred(self.children)
                before = self.score.count
                self.offer(children[screen.best(children)], BRED, at_most=(self.scored + 1) // 2)
                # The rest goes to neighbours that no student chose: it may be wrong about them.
                self.polish(self.archive.members(), at_most=self.scored - (self.score.count - before))
            gained = float(np.max(self.archive.best_K - before_K)) > tolerance
            idle = 0 if gained else idle + 1

    def learn(self) -> Screen:
        """A new student of everything scored so far."""
        codes_ND, value_N = self.lessons(self.samples)
        places = max(8, 3 * self.scored // len(self.archive.budgets))
        return Screen(self.problem, self.archive.budgets, codes_ND, value_N, places)

    def lessons(self, count: int) -> tuple[Codes, Values]:
        """Up to ``count`` of the candidates scored so far: the latest, and as many of all earlier ones."""
        codes_ND, value_N = np.concatenate(self.codes), np.concatenate(self.values)
        late = max(0, len(codes_ND) - count // 2)
        early = self.rng.permutation(late)[: count - count // 2]
        rows = np.concatenate([np.sort(early), np.arange(late, len(codes_ND))])
        return codes_ND[rows], value_N[rows]

    def chain(self) -> Chain:
        codes_ND, value_N = self.lessons(min(self.samples, CHAIN_LESSONS))
        return Chain(self.space, self.archive.budgets, codes_ND, value_N, self.problem.costs(codes_ND))

    def upper(self) -> Values:
        """Estimated upper bound of the objective within each budget, from everything scored."""
        codes_ND, value_N = np.concatenate(self.codes), np.concatenate(self.values)
        return self.chain().bounds(codes_ND, value_N, self.problem.costs(codes_ND))

    def polish(self, codes_ND: Codes, at_most: int | None = None) -> int:
        """Score all neighbours of rows not polished before, best first, until ``at_most`` are scored; how many."""
        rows = [row for row, key in enumerate(row_keys(codes_ND).tolist()) if key not in self.polished]
        neighbourhood = max(1, int((self.space.sizes_D - 1).sum()))
        batch = max(1, len(rows)) if at_most is None else max(1, at_most // neighbourhood)
        before, done = self.score.count, 0
        while done < len(rows) and (at_most is None or self.score.count - before < at_most):
            chosen_ND = codes_ND[rows[done : done + batch]]
            self.polished.update(row_keys(chosen_ND).tolist())
            self.offer(np.concatenate([neighbours(self.space, codes_D) for codes_D in chosen_ND]), NEAR)
            done += len(chosen_ND)
        return done

    def sweep(self, codes_ND: Codes) -> int:
        """Score all two-change neighbours of rows not swept before, where there are few enough of them; how many rows.

        Within a budget, one gene often has to give what another one takes.
        """
        if int((self.space.sizes_D - 1).sum()) ** 2 > 2 * PAIRS:
            return 0
        rows = [row for row, key in enumerate(row_keys(codes_ND).tolist()) if key not in self.swept]
        for codes_D in codes_ND[rows]:
            once_ND = neighbours(self.space, codes_D)
            self.offer(np.concatenate([neighbours(self.space, near_D) for near_D in once_ND]), NEAR)
        self.swept.update(row_keys(codes_ND[rows]).tolist())
        return len(rows)

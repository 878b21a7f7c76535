"""FBNetV3's constrained iterative optimisation as published (Dai et al., CVPR 2021, section 3.2): the reference."""

import numpy as np

from predictors.protocol import Predictor
from search.problem.problem import Observations, Problem
from search.problem.supply import Supply
from spaces import components, sampling
from spaces.codes import distinct, without
from spaces.encoding import encode, layout
from spaces.space import Codes

POOL = 20_000
BATCH = 48


class Sampler:
    """A quasi-random pool under the limits; a first batch unscored, then batches of the highest predicted scores.

    The predictor is refitted to all data before each batch. ``propose`` is a pure function of the observations, the
    pending candidates and the seed: batches are counted over observed and pending candidates, whatever ``n`` is.

    The paper searches for one limit. For several budgets the places of a batch go to the budgets in turn, each taking
    the best predicted candidate that it allows.

    Args:
        problem: space, exact costs, limits and budgets.
        seed: of the pool and of the predictor.
        predictor: file name in ``predictors``.
        pool: quasi-random candidates, the paper's n.
        batch: candidates trained between two fits, the paper's m.

    Raises:
        ValueError: ``pool`` or ``batch`` is below 1, or no predictor has this name.
    """

    def __init__(
        self, problem: Problem, *, seed: int, predictor: str = "mlp", pool: int = POOL, batch: int = BATCH
    ) -> None:
        if pool < 1 or batch < 1:
            raise ValueError(f"pool and batch are at least 1, given {pool} and {batch}")
        self.problem, self.seed, self.batch = problem, seed, batch
        self._model = components.load(components.PREDICTORS, predictor).Model
        self._pool_ND = self._quasi_random(pool)
        self._ranked: tuple[int, bytes, Codes] | None = None

    def _quasi_random(self, n: int) -> Codes:
        """Up to ``n`` feasible points of a scrambled Sobol sequence; uniform ones where feasible points are rare."""
        supply, space = Supply(self.problem), self.problem.space
        rng = np.random.default_rng([self.seed, 1])
        if supply.pool is not None:
            return supply.draw(n, rng)
        points_ND = sampling.sobol(space, 4 * n, self.seed)
        inside_ND = distinct(points_ND[self.problem.feasible(points_ND)])[:n]
        if len(inside_ND) >= min(n, self.batch):
            return inside_ND
        return distinct(np.concatenate([inside_ND, supply.draw(n, rng)]))[:n]

    def propose(self, observed: Observations, pending_ND: Codes, n: int) -> Codes:
        """``n`` candidates to train next, all from the pool, new while the pool has new ones; shape (n, D)."""
        seen_ND = np.concatenate([observed.codes_ND, pending_ND])
        picks_ND = seen_ND[:0]
        while len(picks_ND) < n:
            taken_ND = np.concatenate([seen_ND, picks_ND])
            order_ND = without(self._order(observed, len(taken_ND) // self.batch * self.batch), taken_ND)
            room = min(n - len(picks_ND), self.batch - len(taken_ND) % self.batch)
            if not len(order_ND):
                order_ND = self._pool_ND[np.arange(room) % len(self._pool_ND)]
            picks_ND = np.concatenate([picks_ND, order_ND[:room]])
        return picks_ND

    def _order(self, observed: Observations, trained: int) -> Codes:
        """The pool, next candidate first, given the known scores of the first ``trained`` candidates."""
        codes_ND, score_N = observed.codes_ND[:trained], observed.score_N[:trained]
        if len(codes_ND) < 2:
            return self._pool_ND
        digest = codes_ND.tobytes() + score_N.tobytes()
        if self._ranked is None or self._ranked[:2] != (trained, digest):
            self._ranked = trained, digest, self._by_score(codes_ND, score_N)
        return self._ranked[2]

    def _by_score(self, codes_ND: Codes, score_N: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Codes:
        space, statistics = self.problem.space, self.problem.statistics
        model: Predictor = self._model(layout=layout(space), rng=np.random.default_rng([self.seed, len(codes_ND)]))
        x_NF, s_NK = encode(space, self._pool_ND), statistics(self._pool_ND)
        model.pretrain(x_NF, s_NK)
        model.fit(encode(space, codes_ND), statistics(codes_ND), score_N)
        mean_N = model.predict(x_NF, s_NK).mean_N
        # Rank within each budget, then by that rank: the first of every budget, the second of every budget, ...
        fits_KN = self.problem.affordable(self._pool_ND)
        order_KN = np.argsort(np.where(fits_KN, -mean_N, np.inf), axis=1, kind="stable")
        turns = order_KN.T.ravel()
        allowed = np.take_along_axis(fits_KN, order_KN, axis=1).T.ravel()
        first_ND = distinct(self._pool_ND[turns[allowed]])
        return np.concatenate([first_ND, without(self._pool_ND, first_ND)])

"""FBNetV3's constrained iterative optimisation as published (Dai et al., CVPR 2021, section 3.2): the reference."""

import numpy as np

from search.learning import fitting
from search.problem.problem import Observations
from search.problem.supply import Supply
from search.samplers.protocol import Offer
from spaces import sampling
from spaces.codes import distinct, without
from spaces.mistake import Mistake
from spaces.space import Codes

TRANSFERS = False

POOL = 20_000
BATCH = 48
"""The paper's numbers: its pool, and what it trains between two fits."""

PREDICTOR = "mlp"
"""The paper's predictor."""


class Sampler:
    """A quasi-random pool under the limits; a first batch unscored, then batches of the highest predicted scores.

    The predictor is refitted to all data before each batch. ``propose`` is a pure function of the observations, the
    pending candidates and the seed: batches are counted over observed and pending candidates, whatever ``n`` is.
    Predictor and sizes are those that are offered, so a configured search uses its own predictor, ``initial`` and
    ``batch``; where they are left to the sampler they are the paper's.

    The paper searches for one limit. For several budgets the places of a batch go to the budgets in turn, each taking
    the best predicted candidate that it allows.

    Args:
        offer: what is searched, the seed of the pool and of the predictor, and optionally ``predictor`` (``mlp``),
            ``batch`` (candidates trained between two fits, the paper's m: 48) and ``initial`` (the first batch; as
            large as the others).
        pool: quasi-random candidates, the paper's n.

    Raises:
        Mistake: ``pool`` is below 1, no predictor has this name, or there are earlier searches.
    """

    def __init__(self, offer: Offer, *, pool: int = POOL) -> None:
        if pool < 1:
            raise Mistake(f"pool is at least 1, given {pool}")
        offer.refuse_earlier("paper")
        self.problem, self.seed = offer.problem, offer.seed
        self.batch = offer.batch or BATCH
        self.initial = offer.initial or self.batch
        self._predictor = offer.predictor or PREDICTOR
        fitting.check(self._predictor, self.problem)
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
        if len(inside_ND) >= min(n, max(self.initial, self.batch)):
            return inside_ND
        return distinct(np.concatenate([inside_ND, supply.draw(n, rng)]))[:n]

    def propose(self, observed: Observations, pending_ND: Codes, n: int) -> Codes:
        """``n`` candidates to train next, all from the pool, new while the pool has new ones; shape (n, D)."""
        seen_ND = np.concatenate([observed.codes_ND, pending_ND])
        picks_ND = seen_ND[:0]
        while len(picks_ND) < n:
            known_ND = np.concatenate([seen_ND, picks_ND])
            first, size = self._batch_of(len(known_ND))
            order_ND = without(self._order(observed, first), known_ND)
            room = min(n - len(picks_ND), first + size - len(known_ND))
            if not len(order_ND):
                order_ND = self._pool_ND[np.arange(room) % len(self._pool_ND)]
            picks_ND = np.concatenate([picks_ND, order_ND[:room]])
        return picks_ND

    def _batch_of(self, number: int) -> tuple[int, int]:
        """First candidate and size of the batch that a candidate belongs to."""
        if number < self.initial:
            return 0, self.initial
        return self.initial + (number - self.initial) // self.batch * self.batch, self.batch

    def _order(self, observed: Observations, trained: int) -> Codes:
        """The pool, next candidate first, given the known scores of the first ``trained`` candidates."""
        known = Observations(codes_ND=observed.codes_ND[:trained], score_N=observed.score_N[:trained])
        if len(known.codes_ND) < 2:
            return self._pool_ND
        digest = known.codes_ND.tobytes() + known.score_N.tobytes()
        if self._ranked is None or self._ranked[:2] != (trained, digest):
            self._ranked = trained, digest, self._by_score(known)
        return self._ranked[2]

    def _by_score(self, observed: Observations) -> Codes:
        rng = np.random.default_rng([self.seed, len(observed.codes_ND)])
        model = fitting.learn(self._predictor, self.problem, observed, rng=rng, free_ND=self._pool_ND)
        mean_N = fitting.predict(model, self.problem, self._pool_ND).mean_N
        # Rank within each budget, then by that rank: the first of every budget, the second of every budget, ...
        fits_KN = self.problem.affordable(self._pool_ND)
        order_KN = np.argsort(np.where(fits_KN, -mean_N, np.inf), axis=1, kind="stable")
        turns = order_KN.T.ravel()
        allowed = np.take_along_axis(fits_KN, order_KN, axis=1).T.ravel()
        first_ND = distinct(self._pool_ND[turns[allowed]])
        return np.concatenate([first_ND, without(self._pool_ND, first_ND)])

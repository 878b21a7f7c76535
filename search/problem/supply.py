"""Where a sampler's candidates come from: feasible, distinct, and from the pool where there is one."""

from functools import cached_property

import numpy as np

from search.problem.feasible import sample_within, sample_within_each
from search.problem.limits import tighten
from search.problem.problem import Problem
from spaces import variation
from spaces.codes import distinct, hamming, members
from spaces.space import Codes

ENUMERABLE = 20_000
"""Spaces with at most this many combinations of codes are listed whole when drawing finds nothing new."""


class Supply:
    """Draws the candidates of a problem: members that meet the hard limits, without repeats."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.space = problem.space

    @cached_property
    def pool(self) -> Codes | None:
        """All feasible candidates where they are listed (a pool with gaps), else None."""
        listed = self.problem.pool
        return None if listed is None else distinct(listed[self.problem.feasible(listed)])

    @cached_property
    def everything(self) -> Codes | None:
        """All feasible candidates where they can be listed: the pool, or a small space; else None."""
        if self.pool is not None:
            return self.pool
        if np.prod(self.space.sizes_D.astype(float)) > ENUMERABLE:
            return None
        return self._feasible(members(self.space))

    def draw(self, n: int, rng: np.random.Generator) -> Codes:
        """Up to ``n`` candidates, uniform over the feasible part.

        Raises:
            UnreachableLimit: nothing lies within the hard limits.
            ValueError: no candidate of the pool does.
        """
        if self.pool is not None:
            if not len(self.pool):
                raise ValueError("no candidate of the pool meets the hard limits: loosen them")
            return self.pool[rng.permutation(len(self.pool))[:n]]
        return distinct(sample_within(self.problem, n, rng))

    def draw_within_budgets(self, n: int, rng: np.random.Generator) -> Codes:
        """Up to ``n`` candidates uniform within each budget; uniform draws seldom fit the tight ones.

        A budget that nothing fits gives none.
        """
        within = [tighten(budget, self.problem.limits) for budget in self.problem.budgets]
        if self.pool is not None:
            costs = self.problem.costs(self.pool)
            rows = [rng.permutation(np.flatnonzero(limits.allow(costs))) for limits in within]
            return distinct(np.concatenate([self.pool[rows_N[:n]] for rows_N in rows]))
        return distinct(np.concatenate(sample_within_each(self.problem, n, rng, within, skip=True)))

    def around(self, centres_MD: Codes, rng: np.random.Generator, pairs: int = 24) -> Codes:
        """All candidates one change away from the centres, and ``pairs`` per centre about two changes away."""
        if not len(centres_MD):
            return centres_MD
        if self.pool is not None:
            return self._nearest(self.pool, centres_MD, pairs)
        ones = [variation.neighbours(self.space, centre_D) for centre_D in centres_MD]
        twos = variation.mutate(
            self.space, np.repeat(centres_MD, pairs, axis=0), rng, rate=min(1.0, 2.0 / len(self.space.dimensions))
        )
        return self._feasible(distinct(np.concatenate([*ones, twos])))

    @staticmethod
    def _nearest(pool_ND: Codes, centres_MD: Codes, least: int) -> Codes:
        """Of a pool with gaps: all within two changes of a centre, and at least the ``least`` nearest to each."""
        near_N = np.zeros(len(pool_ND), dtype=bool)
        for centre_D in centres_MD:
            distance_N = hamming(pool_ND, centre_D)
            radius = np.sort(distance_N)[: least + 1][-1]
            near_N |= distance_N <= max(2, int(radius))
        return pool_ND[near_N]

    def _feasible(self, codes_ND: Codes) -> Codes:
        return codes_ND[self.problem.feasible(codes_ND)] if len(codes_ND) else codes_ND

"""Regularised evolution (Real et al., AAAI 2019): the oldest dies, the best of a sample is mutated in one dimension.

Environment: the standard library.
Limits: each tournament is held for one budget, drawn at random, among the members that it allows.
"""

import random
from collections import deque
from typing import Any

from protocol import serve

POPULATION, SAMPLE = 20, 5


class Evolution:
    def __init__(self, dimensions: list[dict[str, Any]], seed: int, trials: int, budgets: list[float]) -> None:
        self.sizes = [dimension["size"] for dimension in dimensions]
        self.rng, self.budgets = random.Random(seed), budgets or [float("inf")]
        self.members: deque[tuple[list[int], float, float]] = deque(maxlen=POPULATION)

    def ask(self) -> list[int]:
        if len(self.members) < POPULATION:
            return [self.rng.randrange(size) for size in self.sizes]
        budget = self.rng.choice(self.budgets)
        inside = [member for member in self.members if member[2] <= budget] or list(self.members)
        parent = max(self.rng.sample(inside, min(SAMPLE, len(inside))), key=lambda member: member[1])
        child = list(parent[0])
        place = self.rng.choice([p for p, size in enumerate(self.sizes) if size > 1])
        child[place] = self.rng.choice([c for c in range(self.sizes[place]) if c != child[place]])
        return child

    def tell(self, codes: list[int], score: float, cost: float, asked: bool) -> None:
        self.members.append((codes, score, cost))

    def refuse(self, codes: list[int], cost: float, known: bool) -> None:
        pass


if __name__ == "__main__":
    serve(Evolution)

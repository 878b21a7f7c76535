"""Local search (White et al., UAI 2021): train all neighbours of the best, in random order; restart where none is left.

Environment: the standard library.
Limits: the best is that of one budget, the budgets taken in turn.
"""

import random
from typing import Any

from protocol import serve

START = 10


class LocalSearch:
    def __init__(self, dimensions: list[dict[str, Any]], seed: int, trials: int, budgets: list[float]) -> None:
        self.sizes = [dimension["size"] for dimension in dimensions]
        self.rng, self.budgets, self.turn = random.Random(seed), budgets or [float("inf")], 0
        self.known: dict[tuple[int, ...], tuple[float, float]] = {}
        self.refused: set[tuple[int, ...]] = set()

    def ask(self) -> list[int]:
        if len(self.known) >= START:
            for _ in self.budgets:
                budget = self.budgets[self.turn % len(self.budgets)]
                self.turn += 1
                inside = [codes for codes, (_, cost) in self.known.items() if cost <= budget]
                if inside:
                    open_ = self.neighbours(max(inside, key=lambda codes: self.known[codes][0]))
                    if open_:
                        return list(self.rng.choice(open_))
        return [self.rng.randrange(size) for size in self.sizes]

    def neighbours(self, centre: tuple[int, ...]) -> list[tuple[int, ...]]:
        around = [
            (*centre[:place], code, *centre[place + 1 :])
            for place, size in enumerate(self.sizes)
            for code in range(size)
            if code != centre[place]
        ]
        return [codes for codes in around if codes not in self.known and codes not in self.refused]

    def tell(self, codes: list[int], score: float, cost: float, asked: bool) -> None:
        self.known[tuple(codes)] = (score, cost)

    def refuse(self, codes: list[int], cost: float, known: bool) -> None:
        self.refused.add(tuple(codes))


if __name__ == "__main__":
    serve(LocalSearch)

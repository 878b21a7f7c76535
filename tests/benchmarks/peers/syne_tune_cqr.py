"""Syne Tune's CQR (conformal quantile regression; Salinas et al., ICML 2023), defaults.

Environment: the extra ``peers``.
Limits: it takes none and has one objective, so there is one CQR for each budget, asked in turn and told every trial:
the score where its budget allows the candidate, else the worst score so far; a proposal that is refused for its cost is
told as one that no budget allows.
"""

import datetime
from typing import Any

from protocol import serve
from syne_tune.backend.trial_status import Trial
from syne_tune.config_space import choice, randint
from syne_tune.optimizer.baselines import CQR


class Conformal:
    def __init__(self, dimensions: list[dict[str, Any]], seed: int, trials: int, budgets: list[float]) -> None:
        space: dict[str, Any] = {}
        for number, dimension in enumerate(dimensions):
            if dimension["size"] > 1:
                levels = list(range(dimension["size"]))
                space[f"d{number}"] = randint(0, levels[-1]) if dimension["ordinal"] else choice(levels)
        self.count, self.worst = len(dimensions), float("inf")
        self.budgets = budgets or [float("inf")]
        self.schedulers = [
            CQR(space, metric="y", do_minimize=False, random_seed=seed * len(self.budgets) + place)
            for place in range(len(self.budgets))
        ]
        self.last: dict[str, Any] = {}
        self.told = self.asked = 0

    def ask(self) -> list[int]:
        self.last = self.schedulers[self.asked % len(self.schedulers)].suggest().config
        self.asked += 1
        return [int(self.last.get(f"d{number}", 0)) for number in range(self.count)]

    def tell(self, codes: list[int], score: float, cost: float, asked: bool) -> None:
        self.worst = min(self.worst, score)
        self._complete(self.last if asked else {name: codes[int(name[1:])] for name in self.last}, score, cost)

    def refuse(self, codes: list[int], cost: float, known: bool) -> None:
        if not known and self.told:
            self._complete(self.last, self.worst, float("inf"))

    def _complete(self, config: dict[str, Any], score: float, cost: float) -> None:
        trial = Trial(self.told, config, datetime.datetime.now(tz=datetime.UTC))
        for budget, scheduler in zip(self.budgets, self.schedulers, strict=True):
            scheduler.on_trial_complete(trial, {"y": score if cost <= budget else self.worst})
        self.told += 1


if __name__ == "__main__":
    serve(Conformal)

"""Syne Tune's CQR (conformal quantile regression; Salinas et al., ICML 2023), defaults.

Environment: python 3.11, ``pip install syne-tune==0.16.0 xgboost==3.2.0 huggingface_hub botorch``.
Limits: it takes none and has one objective, so it searches for the best score under the loosest budget; a refused
proposal is told the worst score so far.
"""

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
        self.count, self.worst = len(dimensions), 0.0
        self.scheduler = CQR(space, metric="y", do_minimize=False, random_seed=seed)
        self.last: dict[str, Any] = {}
        self.number = 0

    def ask(self) -> list[int]:
        self.last = self.scheduler.suggest().config
        return [int(self.last.get(f"d{number}", 0)) for number in range(self.count)]

    def tell(self, codes: list[int], score: float, cost: float, asked: bool) -> None:
        self.worst = score if self.number == 0 else min(self.worst, score)
        config = self.last if asked else {name: codes[int(name[1:])] for name in self.last}
        self._complete(config, score)

    def refuse(self, codes: list[int], cost: float) -> None:
        self._complete(self.last, self.worst)

    def _complete(self, config: dict[str, Any], score: float) -> None:
        import datetime

        trial = Trial(self.number, config, datetime.datetime.now(tz=datetime.UTC))
        self.scheduler.on_trial_complete(trial, {"y": score})
        self.number += 1


if __name__ == "__main__":
    serve(Conformal)

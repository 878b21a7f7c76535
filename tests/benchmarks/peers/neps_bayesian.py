"""NePS's bayesian_optimization (a Gaussian process, noisy expected hypervolume improvement); defaults.

Environment: ``environments/neps.txt``.
Limits: the cost is the second objective; a proposal outside the limits is told with its cost and the worst score so
far, since its optimiser overlooks failures. Proposals of one score, without budgets, are told the score alone.
"""

import random
from typing import Any

import neps
import numpy as np
import torch
from neps.optimizers.algorithms import bayesian_optimization
from neps.optimizers.ask_and_tell import AskAndTell
from neps.space.neps_spaces.neps_space import convert_neps_to_classic_search_space
from protocol import serve


class Bayesian:
    def __init__(self, dimensions: list[dict[str, Any]], seed: int, trials: int, budgets: list[float]) -> None:
        random.seed(seed)  # NePS draws from the global generators
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        parameters: dict[str, Any] = {}
        for number, dimension in enumerate(dimensions):
            last = dimension["size"] - 1
            if last > 0 and dimension["ordinal"]:
                parameters[f"d{number}"] = neps.Integer(0, last)
            elif last > 0:
                parameters[f"d{number}"] = neps.Categorical(list(range(last + 1)))
        space = type("Plain", (neps.PipelineSpace,), parameters)()
        self.optimizer = AskAndTell(bayesian_optimization(convert_neps_to_classic_search_space(space)))
        self.names, self.count, self.two = list(parameters), len(dimensions), bool(budgets)
        self.worst, self.told = float("inf"), 0
        self.last: Any = None

    def ask(self) -> list[int]:
        self.last = self.optimizer.ask()
        return [int(self.last.config.get(f"d{number}", 0)) for number in range(self.count)]

    def tell(self, codes: list[int], score: float, cost: float, asked: bool) -> None:
        self.worst = min(self.worst, score)
        if not asked:
            self.last.config = {name: codes[int(name[1:])] for name in self.names}
        self._complete(score, cost)

    def refuse(self, codes: list[int], cost: float, known: bool) -> None:
        if known or not self.told:
            del self.optimizer.trials[self.last.id]  # else it stays pending
        else:
            self._complete(self.worst, cost)

    def _complete(self, score: float, cost: float) -> None:
        loss = [-score, cost] if self.two else -score
        self.optimizer.tell(self.last, {"objective_to_minimize": loss})
        self.told += 1


if __name__ == "__main__":
    serve(Bayesian)

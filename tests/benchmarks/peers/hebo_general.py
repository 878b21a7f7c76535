"""HEBO's GeneralBO, its optimiser for several objectives and constraints: multi-task GP over (score, cost); defaults.

Environment: ``environments/hebo.txt``.
Limits: the cost is the second objective and, against the loosest budget, the constraint. Five candidates of its front
are asked for at a time, so that a refused one is followed by another; refused ones are not told.
"""

from typing import Any

import numpy as np
import pandas as pd
import torch
from hebo.design_space.design_space import DesignSpace
from hebo.optimizers.general import GeneralBO
from protocol import serve

FRONT = 5


class Hebo:
    def __init__(self, dimensions: list[dict[str, Any]], seed: int, trials: int, budgets: list[float]) -> None:
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)  # HEBO draws from the global generators
        parameters: list[dict[str, Any]] = []
        for number, dimension in enumerate(dimensions):
            levels = list(range(dimension["size"]))
            if len(levels) > 1 and dimension["ordinal"]:
                parameters.append({"name": f"d{number}", "type": "int", "lb": 0, "ub": levels[-1]})
            elif len(levels) > 1:
                parameters.append({"name": f"d{number}", "type": "cat", "categories": levels})
        self.count, self.budgets = len(dimensions), budgets
        space = DesignSpace().parse(parameters)
        self.optimizer = GeneralBO(space, num_obj=1 + bool(budgets), num_constr=int(bool(budgets)))
        self.front: list[dict[str, Any]] = []

    def ask(self) -> list[int]:
        if not self.front:
            self.front = self.optimizer.suggest(n_suggestions=FRONT).to_dict("records")
        point = self.front.pop(0)
        return [int(point.get(f"d{number}", 0)) for number in range(self.count)]

    def tell(self, codes: list[int], score: float, cost: float, asked: bool) -> None:
        self.front = []
        told = pd.DataFrame([{name: codes[int(name[1:])] for name in self.optimizer.space.para_names}])
        values = [-score, cost, cost - max(self.budgets)] if self.budgets else [-score]
        self.optimizer.observe_new_data(told, np.array([values]))

    def refuse(self, codes: list[int], cost: float, known: bool) -> None:
        pass


if __name__ == "__main__":
    serve(Hebo)

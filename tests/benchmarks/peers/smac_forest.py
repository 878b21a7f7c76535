"""SMAC's hyperparameter facade (random forest, expected improvement), with ParEGO over (score, cost).

Environment: python 3.11, ``pip install smac==2.4.0 scikit-learn==1.6.1``.
Limits: the cost is the second objective; refused proposals are told as a crash with the worst values so far.
"""

import tempfile
from pathlib import Path
from typing import Any

from ConfigSpace import CategoricalHyperparameter, Configuration, ConfigurationSpace, UniformIntegerHyperparameter
from protocol import serve
from smac import HyperparameterOptimizationFacade, Scenario
from smac.multi_objective.parego import ParEGO
from smac.runhistory.dataclasses import TrialInfo, TrialValue


class Forest:
    def __init__(self, dimensions: list[dict[str, Any]], seed: int, trials: int, budgets: list[float]) -> None:
        space = ConfigurationSpace(seed=seed)
        for number, dimension in enumerate(dimensions):
            last = dimension["size"] - 1
            if last > 0 and dimension["ordinal"]:
                space.add(UniformIntegerHyperparameter(f"d{number}", 0, last))
            elif last > 0:
                space.add(CategoricalHyperparameter(f"d{number}", list(range(last + 1))))
        self.space, self.count, self.two = space, len(dimensions), bool(budgets)
        scenario = Scenario(
            space,
            deterministic=True,
            n_trials=20 * trials,
            seed=seed,
            objectives=["loss", "cost"] if self.two else "loss",
            output_directory=Path(tempfile.mkdtemp()),
        )
        options: dict[str, Any] = {"multi_objective_algorithm": ParEGO(scenario)} if self.two else {}
        initial = HyperparameterOptimizationFacade.get_initial_design(scenario, n_configs=max(10, trials // 10))
        self.smac = HyperparameterOptimizationFacade(
            scenario, lambda config, seed=0: 0.0, initial_design=initial, overwrite=True, logging_level=40, **options
        )
        self.worst: list[float] = [0.0, 0.0]
        self.last: Any = None
        self.first = True

    def ask(self) -> list[int]:
        self.last = self.smac.ask()
        return [int(self.last.config.get(f"d{number}", 0)) for number in range(self.count)]

    def tell(self, codes: list[int], score: float, cost: float, asked: bool) -> None:
        values = [-score, cost]
        self.worst = values if self.first else [max(a, b) for a, b in zip(self.worst, values, strict=True)]
        self.first = False
        info = self.last
        if not asked:
            chosen = {name: codes[int(name[1:])] for name in self.space}
            info = TrialInfo(Configuration(self.space, values=chosen), seed=self.last.seed)
        self.smac.tell(info, TrialValue(cost=values if self.two else values[0]))

    def refuse(self, codes: list[int], cost: float) -> None:
        values = [self.worst[0], max(cost, self.worst[1])]
        self.smac.tell(self.last, TrialValue(cost=values if self.two else values[0]))


if __name__ == "__main__":
    serve(Forest)

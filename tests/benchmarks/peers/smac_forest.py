"""SMAC's hyperparameter facade (random forest, log expected improvement), with ParEGO over (score, cost); defaults.

Environment: the extra ``peers``.
Limits: the cost is the second objective; a proposal outside the limits is told as a crash with the worst values so far.
The trials that its settings count on are those of the replay: a quarter of them, at most ten per dimension, are Sobol.
"""

import tempfile
from pathlib import Path
from typing import Any

from ConfigSpace import CategoricalHyperparameter, Configuration, ConfigurationSpace, UniformIntegerHyperparameter
from protocol import serve
from smac import HyperparameterOptimizationFacade, Scenario
from smac.multi_objective.parego import ParEGO
from smac.runhistory.dataclasses import TrialInfo, TrialValue
from smac.runhistory.enumerations import StatusType

SPARE = 10
"""SMAC stops at its number of trials, refused proposals included, so it is told a multiple of the replay's."""


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
            n_trials=SPARE * trials,
            seed=seed,
            objectives=["loss", "cost"] if self.two else "loss",
            output_directory=Path(tempfile.mkdtemp()),
        )
        facade = HyperparameterOptimizationFacade
        options: dict[str, Any] = {"multi_objective_algorithm": ParEGO(scenario)} if self.two else {}
        model = facade.get_model(scenario)
        # Scikit-learn makes room for every leaf that is allowed (2**20) before it grows the few that have data.
        model._rf_opts |= {"max_leaf_nodes": SPARE * trials, "n_jobs": 1}
        self.smac = facade(
            scenario,
            lambda config, seed=0: 0.0,
            model=model,
            initial_design=facade.get_initial_design(scenario, max_ratio=0.25 / SPARE),
            overwrite=True,
            logging_level=40,
            **options,
        )
        self.worst = [-float("inf"), -float("inf")]
        self.last: Any = None

    def ask(self) -> list[int]:
        self.last = self.smac.ask()
        return [int(self.last.config.get(f"d{number}", 0)) for number in range(self.count)]

    def tell(self, codes: list[int], score: float, cost: float, asked: bool) -> None:
        values = [-score, cost]
        self.worst = [max(a, b) for a, b in zip(self.worst, values, strict=True)]
        info = self.last
        if not asked:
            chosen = {name: codes[int(name[1:])] for name in self.space}
            info = TrialInfo(Configuration(self.space, values=chosen), seed=self.last.seed)
        self._tell(info, values, StatusType.SUCCESS)

    def refuse(self, codes: list[int], cost: float, known: bool) -> None:
        if not known:
            self._tell(self.last, [self.worst[0], max(cost, self.worst[1])], StatusType.CRASHED)

    def _tell(self, info: TrialInfo, values: list[float], status: StatusType) -> None:
        self.smac.tell(info, TrialValue(cost=values if self.two else values[0], status=status), save=False)


if __name__ == "__main__":
    serve(Forest)

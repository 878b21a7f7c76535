"""Ax's Client, two objectives (score, cost) under its default ``fast`` strategy; the limit as outcome constraint.

Environment: the extra ``peers``.
Limits: the loosest budget is an outcome constraint on the cost, which is the second objective; a proposal that is not
trained is abandoned, which tells Ax not to propose it again.

BoTorch 0.18 compiles a C++ kernel at the first acquisition, for minutes on a busy machine; a process that is ended
meanwhile leaves a lock for which every later one waits without end. Its own fallback in Python is used instead.
"""

import warnings
from typing import Any

from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
from botorch.acquisition.multi_objective import logei
from protocol import serve

logei._load_attempted = True
warnings.simplefilter("ignore")


class Ax:
    def __init__(self, dimensions: list[dict[str, Any]], seed: int, trials: int, budgets: list[float]) -> None:
        parameters: list[Any] = []
        for number, dimension in enumerate(dimensions):
            last = dimension["size"] - 1
            if last > 0 and dimension["ordinal"]:
                parameters.append(RangeParameterConfig(name=f"d{number}", parameter_type="int", bounds=(0, last)))
            elif last > 0:
                levels = list(range(last + 1))
                parameters.append(
                    ChoiceParameterConfig(name=f"d{number}", parameter_type="int", values=levels, is_ordered=False)
                )
        self.count, self.two = len(dimensions), bool(budgets)
        self.client = Client(random_seed=seed)
        self.client.configure_experiment(parameters=parameters)
        if self.two:
            self.client.configure_optimization("score, -cost", outcome_constraints=[f"cost <= {max(budgets)}"])
        else:
            self.client.configure_optimization("score")
        self.open: int | None = None
        self.names = {parameter.name for parameter in parameters}

    def ask(self) -> list[int]:
        ((self.open, point),) = self.client.get_next_trials(1).items()
        return [int(point.get(f"d{number}", 0)) for number in range(self.count)]

    def tell(self, codes: list[int], score: float, cost: float, asked: bool) -> None:
        number = self.open
        if not asked:
            self._abandon()
            number = self.client.attach_trial({name: codes[int(name[1:])] for name in self.names})
        self.client.complete_trial(number, raw_data={"score": score, "cost": cost} if self.two else {"score": score})
        self.open = None

    def refuse(self, codes: list[int], cost: float, known: bool) -> None:
        self._abandon()

    def _abandon(self) -> None:
        if self.open is not None:
            self.client.mark_trial_abandoned(self.open)
        self.open = None


if __name__ == "__main__":
    serve(Ax)

"""OpenBox's Advisor: two objectives (score, cost) with expected hypervolume improvement; defaults otherwise.

Environment: python 3.11, ``pip install openbox==0.9.0 ConfigSpace==0.6.1 numpy==1.26.4``.
Limits: the cost is the second objective, its reference point the loosest budget; refused proposals are told as failed.
"""

from typing import Any

from openbox import Advisor, Observation, space
from openbox.utils.constants import FAILED
from protocol import serve


class OpenBox:
    def __init__(self, dimensions: list[dict[str, Any]], seed: int, trials: int, budgets: list[float]) -> None:
        parameters: list[Any] = []
        for number, dimension in enumerate(dimensions):
            if dimension["size"] == 1:
                parameters.append(space.Constant(f"d{number}", 0))
            elif dimension["ordinal"]:
                parameters.append(space.Int(f"d{number}", 0, dimension["size"] - 1))
            else:
                parameters.append(space.Categorical(f"d{number}", list(range(dimension["size"]))))
        self.space = space.Space()
        self.space.add_variables(parameters)
        self.count, self.two = len(dimensions), bool(budgets)
        self.budget = max(budgets, default=0.0)
        self.advisor: Any = None
        self.seed = seed
        self.waiting: list[tuple[Any, list[float]]] = []
        self.last: Any = None

    def ask(self) -> list[int]:
        if self.advisor is None and (len(self.waiting) >= 1 or not self.two):
            self._make()
        if self.advisor is None:
            self.last = self.space.sample_configuration()
        else:
            self.last = self.advisor.get_suggestion()
        return [int(self.last[f"d{number}"]) for number in range(self.count)]

    def _make(self) -> None:
        worst = [value + 1.0 for value in self.waiting[0][1][:1]]
        options: dict[str, Any] = {"num_objectives": 2, "ref_point": [*worst, self.budget]} if self.two else {}
        self.advisor = Advisor(self.space, random_state=self.seed, logger_kwargs={"level": "WARNING"}, **options)
        for config, values in self.waiting:
            self.advisor.update_observation(Observation(config=config, objectives=values))

    def tell(self, codes: list[int], score: float, cost: float, asked: bool) -> None:
        config = self.last
        if not asked:
            values = {f"d{number}": code for number, code in enumerate(codes)}
            config = space.Configuration(self.space, values=values)
        objectives = [-score, cost] if self.two else [-score]
        if self.advisor is None:
            self.waiting.append((config, objectives))
        else:
            self.advisor.update_observation(Observation(config=config, objectives=objectives))

    def refuse(self, codes: list[int], cost: float) -> None:
        if self.advisor is not None:
            failed = [float("inf")] * (2 if self.two else 1)
            self.advisor.update_observation(Observation(config=self.last, objectives=failed, trial_state=FAILED))


if __name__ == "__main__":
    serve(OpenBox)

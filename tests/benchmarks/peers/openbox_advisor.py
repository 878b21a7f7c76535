"""OpenBox's Advisor: two objectives (score, cost) with expected hypervolume improvement; defaults otherwise.

Environment: ``environments/openbox.txt``.
Limits: the cost is the second objective, its reference point the loosest budget; the reference score, which OpenBox
asks for, is the worst of its own initial design. Proposals outside the limits are told as failed.
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
        options: dict[str, Any] = {"num_objectives": 2, "ref_point": [0.0, max(budgets)]} if self.two else {}
        quiet = {"level": "WARNING", "logdir": None}
        self.advisor = Advisor(self.space, random_state=seed, output_dir=None, logger_kwargs=quiet, **options)
        self.told, self.leaves = 0, 100 * trials
        self.last: Any = None
        self._set_up()

    def ask(self) -> list[int]:
        self.last = self.advisor.get_suggestion()
        return [int(self.last[f"d{number}"]) for number in range(self.count)]

    def tell(self, codes: list[int], score: float, cost: float, asked: bool) -> None:
        config = self.last
        if not asked:
            values = {f"d{number}": code for number, code in enumerate(codes)}
            config = space.Configuration(self.space, values=values)
        self.advisor.update_observation(Observation(config=config, objectives=[-score, cost][: 1 + self.two]))
        self.told += 1
        if self.two and self.told <= self.advisor.init_num:
            worst = -score if self.told == 1 else max(-score, self.advisor.ref_point[0])
            self.advisor.ref_point = [worst, self.advisor.ref_point[1]]
            self._set_up()

    def _set_up(self) -> None:
        """Hand the reference point on, and bound the leaves of a forest.

        Scikit-learn makes room for a tree's 2**20 leaves before it grows the few that there are data for: 0.15 s a tree
        instead of 0.001 s, for the same tree.
        """
        self.advisor.setup_bo_basics()
        models = self.advisor.surrogate_model
        for model in models if self.two else [models]:
            if hasattr(model, "max_num_nodes"):
                model.max_num_nodes = self.leaves

    def refuse(self, codes: list[int], cost: float, known: bool) -> None:
        if not known:
            failed = [float("inf")] * (1 + self.two)
            self.advisor.update_observation(Observation(config=self.last, objectives=failed, trial_state=FAILED))


if __name__ == "__main__":
    serve(OpenBox)

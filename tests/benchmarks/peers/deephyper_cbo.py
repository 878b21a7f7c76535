"""DeepHyper's CBO (extremely randomised trees, upper confidence bound, Chebyshev scalarisation); defaults.

Environment: ``environments/deephyper.txt``.
Limits: the cost is the second objective; a proposal outside the limits is told as failed, which CBO learns to avoid.
Its own predicate on proposals needs the costs of any candidate, which the protocol does not give.
"""

import tempfile
from typing import Any

from deephyper.hpo import CBO, HpProblem
from protocol import serve


class Centralised:
    def __init__(self, dimensions: list[dict[str, Any]], seed: int, trials: int, budgets: list[float]) -> None:
        problem = HpProblem()
        self.names: dict[str, bool] = {}
        for number, dimension in enumerate(dimensions):
            last = dimension["size"] - 1
            if last > 0:
                name, ordinal = f"d{number}", bool(dimension["ordinal"])
                problem.add_hyperparameter((0, last) if ordinal else [str(code) for code in range(last + 1)], name)
                self.names[name] = ordinal
        self.count, self.two = len(dimensions), bool(budgets)
        self.search = CBO(
            problem, random_state=seed, log_dir=tempfile.mkdtemp(), checkpoint_history_to_csv=False, verbose=0
        )
        self.last: dict[str, Any] = {}

    def ask(self) -> list[int]:
        (self.last,) = self.search.ask(1)
        return [int(self.last.get(f"d{number}", 0)) for number in range(self.count)]

    def tell(self, codes: list[int], score: float, cost: float, asked: bool) -> None:
        told = self.last
        if not asked:
            told = {name: codes[int(name[1:])] if o else str(codes[int(name[1:])]) for name, o in self.names.items()}
        self.search.tell([(told, (score, -cost) if self.two else score)])

    def refuse(self, codes: list[int], cost: float, known: bool) -> None:
        if not known:
            self.search.tell([(self.last, ("F_limit", "F_limit") if self.two else "F_limit")])


if __name__ == "__main__":
    serve(Centralised)

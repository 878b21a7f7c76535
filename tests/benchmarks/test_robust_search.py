"""What families gain under corruption, and lose without, whose search chose by half of each.

Each search with five seeds on digits; a seed is a piece of two minutes of a core, and is kept (``kept.py``).
"""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.benchmarks.kept import kept
from tests.runs import search

pytestmark = pytest.mark.benchmark

SCORES = {"accuracy": "accuracy", "half and half": "{accuracy: 1, assess.corruption.accuracy: 1}"}
BUDGETS = (30_000, 100_000)
CONFIGURATION = """\
name: robust
runs: {runs}
seed: {seed}
data: {{source: digits}}
space: {{name: tiny, restrict: {{architecture.resolution: [8]}}}}
limits: {{max_macs: {limit}}}
search: {{trials: 16, initial: 12, batch: 4, epochs: 4, score: {score}, prior: none}}
family: {{max_macs: {budgets}, contenders: 1, repeats: 1, epochs: 8, references: false}}
run: {{executor: serial}}
tracking: {{enabled: false}}
"""


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("seed", range(5))
def test_what_a_robust_score_finds(score: str, seed: int, tmp_path: Path) -> None:
    def measure() -> dict[str, float]:
        file = tmp_path / "robust.yaml"
        file.write_text(
            CONFIGURATION.format(
                runs=tmp_path / "runs", seed=seed, limit=max(BUDGETS), score=SCORES[score], budgets=list(BUDGETS)
            )
        )
        for words in (("run", file), ("evaluate", tmp_path / "runs/robust", "--with", "corruption")):
            done = search(*words)
            assert done.returncode == 0, (done.stdout, done.stderr)
        return figures(tmp_path / "runs/robust/family")

    kept("robust_search", score, seed, measure)


def figures(family: Path) -> dict[str, float]:
    """Test accuracy without corruption and over all of it, of the largest member and their means over members."""
    names = [member["name"] for member in json.loads((family / "family.json").read_text())["members"]]
    rows = []
    for name in names:
        table = pd.read_csv(family / name / "evaluations/corruption.csv", keep_default_na=False)
        of_all = table[table["part"] == ""].set_index("metric")["value"].astype(float)
        rows.append({"clean": of_all["clean"], "corrupted": of_all["accuracy"]})
    said = {f"{part}, largest": rows[-1][part] for part in rows[-1]}
    return said | {f"{part}, mean": sum(row[part] for row in rows) / len(rows) for part in rows[-1]}

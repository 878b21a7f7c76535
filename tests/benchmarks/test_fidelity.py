"""Stopping rules on LCBench's recorded curves, beside Ray's and Optuna's own. The table is in ``docs/fidelity.md``."""

import os
from pathlib import Path

import pytest

from search.replay.curves import play_rules, regret_differences, summary
from search.replay.rules import RULES

TABLES = Path(os.environ.get("NARS_TABLES", Path(__file__).parents[3] / "shared" / "tables"))
CURVES = TABLES / "lcbench"

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(
        not CURVES.is_dir(), reason="needs LCBench's surrogate in a folder lcbench; NARS_TABLES names its parent"
    ),
]


def test_the_regret_rule_costs_less_and_keeps_better_than_the_papers() -> None:
    played = play_rules(CURVES, list(RULES), trials=200, seeds=3, bands=1, workers=1)
    means = summary(played)
    print(means.to_string())
    print(regret_differences(played, "regret"))
    cost, regret = (means[measure].to_dict() for measure in ("cost", "regret"))
    assert cost["regret"] <= 0.2
    assert cost["regret"] < cost["paper"]
    for other in ("paper", "ray_asha", "optuna_halving"):
        assert regret["regret"] < regret[other]

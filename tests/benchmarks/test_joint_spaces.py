"""Whether a search that may choose more finds more: pretraining, further families, ways to learn from captions.

Both searches of a question train as many candidates for as many passes, begin with the same references and from no
recorded trainings, and read the test split once. A search is a piece of ten minutes of a core and more, and is kept
(``kept.py``).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from search.family.members import load_family
from tests.benchmarks.kept import kept
from tests.places import ROOT
from tests.runs import search, trials

pytestmark = pytest.mark.benchmark

SEEDS = (0, 1, 2, 3, 4)
FOR_ALL: Mapping[str, Any] = {
    "search": {"prior": "none"},
    "run": {"executor": "serial"},
    "tracking": {"enabled": False},
}


@dataclass(frozen=True, kw_only=True)
class Question:
    """A shipped configuration, what is changed of it for both searches, and what the narrower one may choose."""

    config: str
    narrower: Mapping[str, Any]
    changes: Mapping[str, Any]


FROM_SCRATCH: Mapping[str, Any] = {"space": {"restrict": {"pretraining.objective": ["none"]}}}
QUESTIONS: Mapping[str, Question] = {
    "self_supervised": Question(config="self_supervised", narrower=FROM_SCRATCH, changes={}),
    "pretraining": Question(config="pretraining", narrower=FROM_SCRATCH, changes={"family": {"epochs": 6}}),
    "families": Question(
        config="small_families",
        narrower={"space": {"restrict": {"architecture.backbone": ["mobile"]}}},
        changes={},
    ),
    "captions": Question(
        config="captions",
        narrower={
            "space": {
                "restrict": {
                    "pretraining.objective": ["clip"],
                    "pretraining.clip.learned": [True],
                    "pretraining.clip.direction": [0.5],
                    "pretraining.clip.smoothing": [0.0],
                    "pretraining.clip.temperature": [0.07],
                }
            }
        },
        changes={
            "search": {"trials": 24, "initial": 12, "batch": 4, "epochs": 20},
            "family": {"max_macs": ["1M", "4M"], "epochs": 20},
        },
    ),
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("arm", ["wider", "narrower"])
@pytest.mark.parametrize("seed", SEEDS)
def test_whether_a_wider_search_finds_more(question: str, arm: str, seed: int, tmp_path: Path) -> None:
    asked = QUESTIONS[question]

    def measure() -> dict[str, float]:
        config = yaml.safe_load((ROOT / "configs" / f"{asked.config}.yaml").read_text())
        for changes in (FOR_ALL, asked.changes, asked.narrower if arm == "narrower" else {}):
            config = merged(config, changes)
        file = tmp_path / "asked.yaml"
        file.write_text(yaml.safe_dump({**config, "name": "asked", "runs": str(tmp_path), "seed": seed}))
        done = search("run", file)
        assert done.returncode == 0, (done.stdout, done.stderr)
        return figures(tmp_path / "asked")

    kept(f"joint_spaces_{question}", arm, seed, measure)


def merged(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with other values for some keys, section by section."""
    said = dict(config)
    for key, value in changes.items():
        said[key] = merged(said.get(key, {}), value) if isinstance(value, Mapping) else value
    return said


def figures(run: Path) -> dict[str, float]:
    """Accuracies of each budget's member and the best trial's; how many trials each backbone and objective got."""
    family = load_family(run / "family")
    members = {member.name: member for member in family.members}
    said: dict[str, float] = {}
    for budget in family.budgets:
        assert budget.max_macs is not None
        if budget.member is None:
            continue
        member = members[budget.member]
        said[f"search, {budget.max_macs:.0f}"] = member.search_accuracy
        said[f"test, {budget.max_macs:.0f}"] = member.test_accuracy or float("nan")
    finished = [trial for trial in trials(run) if trial.score is not None]
    said["best trial"] = max(trial.score for trial in finished if trial.score is not None)
    said["passes"] = sum(trial.reports[-1].epoch for trial in finished)
    chosen = Counter(
        str(choice)
        for trial in finished
        for choice in (trial.candidate.backbone, trial.candidate.pretraining.get("objective", "none"))
    )
    return said | {f"trials, {choice}": count for choice, count in sorted(chosen.items())}

"""Which objective of a finished search wins at which budget: its best candidates again, with fresh seeds.

    NARS_RUN=runs/pretraining pytest -m benchmark -s tests/benchmarks/test_searched_objectives.py

A search has one noisy score for most candidates, and the best of many scores is too good. Here the best candidate of
each objective within each budget is trained again, as long as in the search; and the trials that NARS_TRIALS numbers
(such as 2,37) are trained beside the same network and recipe without their pretraining.
"""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from search.experiment.running import Known, read_run
from search.record.trial import Trial
from spaces.candidate import NO_PRETRAINING, Candidate
from tests.benchmarks.small import SEEDS, difference
from trainables.training.trial import Task, trial

pytestmark = pytest.mark.benchmark

FIRST = 1000
"""Seed that no search has given to a trial."""


def objective_of(candidate: Candidate) -> str:
    return str(candidate.pretraining.get("objective", NO_PRETRAINING))


def with_fresh_seeds(known: Known, candidate: Candidate, epochs: int) -> np.ndarray:
    """Search-validation accuracy of each seed."""
    tasks = [Task(candidate=candidate, epochs=epochs, seed=FIRST + seed) for seed in range(SEEDS)]
    return np.array([list(trial(task, known.setting.splits))[-1].accuracy for task in tasks])


def test_the_best_of_each_objective_with_fresh_seeds() -> None:
    torch.set_num_threads(1)
    known = read_run(Path(os.environ["NARS_RUN"]))
    tried = [each for each in known.ended if each.purpose == "search" and each.reports and each.message is None]
    print()
    for pair, count in sorted(Counter((e.candidate.backbone, objective_of(e.candidate)) for e in tried).items()):
        scores = [e.reports[-1].accuracy for e in tried if (e.candidate.backbone, objective_of(e.candidate)) == pair]
        print(f"  {' '.join(pair):20} {count:3} candidates, mean {np.mean(scores):.3f}, best {max(scores):.3f}")
    again: dict[int, np.ndarray] = {}

    def trained(record: Trial) -> np.ndarray:
        if record.number not in again:
            again[record.number] = with_fresh_seeds(known, record.candidate, record.epochs)
        return again[record.number]

    for budget in known.setting.problem.budgets:
        within = [each for each in tried if each.statistics.macs <= budget.bounds()["macs"]]
        best: dict[str, Trial] = {}
        for each in sorted(within, key=lambda record: record.reports[-1].accuracy):
            best[objective_of(each.candidate)] = each
        print(f"within {budget.bounds()['macs']:,.0f} macs, {SEEDS} fresh seeds; beside no pretraining", flush=True)
        base_S = trained(best[NO_PRETRAINING]) if NO_PRETRAINING in best else None
        for objective, record in best.items():
            found_S = trained(record)
            beside = "" if base_S is None or objective == NO_PRETRAINING else difference(base_S, found_S)
            which = f"{objective:8} {record.candidate.backbone:8} trial {record.number:2}"
            print(
                f"  {which}, {record.statistics.macs:8,} macs: {record.reports[-1].accuracy:.3f} in the search;"
                f" {found_S.mean():.3f} (deviation {found_S.std(ddof=1):.3f}) {beside}",
                flush=True,
            )


def test_the_same_pairs_without_their_pretraining() -> None:
    torch.set_num_threads(1)
    known = read_run(Path(os.environ["NARS_RUN"]))
    numbers = [int(number) for number in os.environ["NARS_TRIALS"].split(",")]
    print()
    for record in (each for each in known.ended if each.number in numbers):
        alone = replace(record.candidate, pretraining={}, adaptation={})
        alone_S, found_S = (with_fresh_seeds(known, each, record.epochs) for each in (alone, record.candidate))
        print(
            f"  {objective_of(record.candidate)}, trial {record.number}, {record.statistics.macs:,} macs: "
            f"{found_S.mean():.3f}, without pretraining {alone_S.mean():.3f}; {difference(alone_S, found_S)}",
            flush=True,
        )

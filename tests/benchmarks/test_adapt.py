"""What adaptation, protocols and final training bring with a tenth of the labels. Prints paired differences."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from spaces import components
from spaces.candidate import Candidate
from tests.benchmarks.small import ARCHITECTURE, EPOCHS, RECIPE, SEEDS
from trainables.data.sources import load_source
from trainables.final.jobs import FinalJob, train
from trainables.training.building import build
from trainables.training.checkpoint import Checkpoint
from trainables.training.features import features_of, score
from trainables.training.trial import Task, trial
from trainables.training.world import World

pytestmark = pytest.mark.benchmark

SPLITS = load_source("digits", {"labels": 0.1})
CPU = torch.device("cpu")
METHODS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "simclr, full": ("simclr", {"method": "full"}),
    "simclr, full, layer_decay 0.9": ("simclr", {"method": "full", "full.layer_decay": 0.9}),
    "simclr, full, layer_decay 0.75": ("simclr", {"method": "full", "full.layer_decay": 0.75}),
    "simclr, linear": ("simclr", {"method": "linear"}),
    "rotation, full": ("rotation", {"method": "full"}),
}
LESSONS: dict[str, dict[str, Any]] = {
    "distillation": {},
    "feature_distillation": {},
    "unlabelled_distillation": {"label_weight": 0.0, "distillation_weight": 1.0},
}


def candidate(backbone: str, objective: str | None = None, adaptation: Mapping[str, Any] | None = None) -> Candidate:
    stages: dict[str, Any] = {}
    if objective is not None:
        pretraining = {"objective": objective, "share": 0.5, **RECIPE, "batch.size": 64}
        stages = {"pretraining": pretraining, "adaptation": adaptation or {"method": "full"}}
    parts: dict[str, Any] = {"architecture": ARCHITECTURE[backbone], "recipe": RECIPE, **stages}
    return Candidate(backbone=backbone, objective="supervised", **parts)


def show(title: str, found: Mapping[str, list[float]], reference: str) -> None:
    """Means, and differences from the reference in percentage points with Student's 95 % interval."""
    print(f"\n{title}")
    for name, values in found.items():
        line = f"  {name:34} {np.mean(values):.3f}"
        if name != reference:
            apart = 100 * (np.array(values) - np.array(found[reference]))
            low, high = stats.t.interval(0.95, len(apart) - 1, apart.mean(), stats.sem(apart))
            line += f"  {apart.mean():+.2f} [{low:+.2f}, {high:+.2f}]"
        print(line)


@pytest.mark.parametrize("backbone", ARCHITECTURE)
def test_methods_of_adaptation(backbone: str) -> None:
    found: dict[str, list[float]] = {}
    for seed in range(SEEDS):
        for name, (objective, adaptation) in {"from scratch": (None, {}), **METHODS}.items():
            task = Task(candidate=candidate(backbone, objective, adaptation), epochs=EPOCHS, seed=seed)
            found.setdefault(name, []).append([report.accuracy for report in trial(task, SPLITS)][-1])
    show(f"{backbone}: adaptation", found, "simclr, full")
    assert all(np.mean(values) > 0.2 for values in found.values())


@pytest.mark.parametrize("backbone", ARCHITECTURE)
def test_protocols_on_pretrained_features(backbone: str, tmp_path: Path) -> None:
    found: dict[str, list[float]] = {}
    for seed in range(SEEDS):
        checkpoint = Checkpoint(path=tmp_path / f"{seed}.pt")
        task = Task(candidate=candidate(backbone, "simclr"), epochs=EPOCHS, seed=seed)
        list(islice(trial(task, SPLITS, checkpoint=checkpoint), EPOCHS // 2))
        saved = checkpoint.load()
        assert saved is not None
        network = build(task.candidate, SPLITS)
        for state, kind in ((network.state_dict(), "untrained"), (saved["evaluated"], "simclr")):
            network.load_state_dict(state)
            features = features_of(network, SPLITS.train, SPLITS.validation, world=World(), device=CPU)
            for name in components.names(components.PROTOCOLS):
                share = score(features, name, classes=len(SPLITS.classes), world=World(), device=CPU)
                found.setdefault(f"{kind}, {name}", []).append(share)
    show(f"{backbone}: protocols", found, "simclr, nearest_mean")
    assert all(np.mean(values) > 0.1 for values in found.values())


def test_a_student_with_few_labels(tmp_path: Path) -> None:
    """A transformer that was pretrained teaches a small convolutional network, trained for as many passes alone."""
    found: dict[str, list[float]] = {}
    for seed in range(SEEDS):
        teacher = FinalJob(name=f"t{seed}", candidate=candidate("tiny_vit", "simclr"), epochs=EPOCHS, seed=seed)
        alone = FinalJob(name=f"a{seed}", candidate=candidate("mobile"), epochs=EPOCHS, seed=seed)
        pupils = {
            name: replace(alone, name=f"{name}{seed}", teachers=(teacher,), objective=name, **knobs)
            for name, knobs in LESSONS.items()
        }
        jobs = {"teacher": teacher, "labels alone": alone, **pupils}
        last = {job.name: list(train(job, SPLITS, tmp_path))[-1].accuracy for job in jobs.values()}
        for title, job in jobs.items():
            found.setdefault(title, []).append(last[job.name])
    show("student", found, "labels alone")
    assert all(np.mean(values) > 0.2 for values in found.values())

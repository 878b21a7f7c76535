"""What networks learn from names of emoji, against names of other emoji, and what names of their groups are worth."""

import time
from pathlib import Path
from typing import Any

import pytest
import torch

from spaces.candidate import Candidate
from spaces.dimensions import Value
from tests.benchmarks.kept import kept
from tests.benchmarks.stamps import MOBILE
from tests.emoji import needs_emoji
from trainables.assess import retrieval, zero_shot
from trainables.data.sources import load_source
from trainables.training.checkpoint import Checkpoint
from trainables.training.features import accuracy
from trainables.training.trial import Task, trained, trial

pytestmark = [pytest.mark.benchmark, needs_emoji]

EPOCHS, SEEDS = 41, (0, 1, 2)
"""Passes over 825 images, the last of which fits a temperature; seeds of the trainings."""
AFTER = 10
"""Passes of what follows pretraining, where methods are compared."""
RECIPE: dict[str, Value] = {
    "optimizer.name": "adamw", "optimizer.learning_rate.adamw": 3e-3, "optimizer.weight_decay": 0.05, "batch.size": 128,
    "schedule.name": "cosine", "schedule.warmup_epochs": 2, "schedule.final": 0.01,
}  # fmt: skip
ARMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "clip": ({}, {}),
    "names of others": ({}, {"wrong_captions": 1.0}),
    "two captions a step": ({"clip.captions": 2}, {}),
    "keywords": ({}, {"keywords": True}),
}
"""Knobs of the pretraining, and keywords of the data."""


NAMES: dict[str, list[str]] = {
    "Smileys & Emotion": ["face", "smile", "heart"], "People & Body": ["person", "hand", "woman", "man"],
    "Animals & Nature": ["animal", "bird", "insect", "flower", "plant", "pet"],
    "Food & Drink": ["food", "drink", "fruit", "vegetable", "dessert"],
    "Travel & Places": ["building", "car", "train", "place", "weather"],
    "Activities": ["game", "sport", "ball", "celebration"],
    "Objects": ["clothing", "tool", "computer", "book", "object"],
    "Symbols": ["sign", "arrow", "button", "symbol"], "Flags": ["flag"],
}  # fmt: skip
"""What captions call the groups, chosen from the words of the training captions and before any accuracy."""
METHODS: dict[str, tuple[dict[str, Value], dict[str, Any]]] = {
    "names of the groups": ({"method": "zero_shot"}, {}),
    "most frequent of other names": ({"method": "zero_shot"}, {"synonyms": NAMES}),
    "retrieved, half names": ({"method": "retrieved", "retrieved.weight": 0.5}, {"synonyms": NAMES}),
    "retrieved alone": ({"method": "retrieved", "retrieved.weight": 1.0}, {"synonyms": NAMES}),
    "prompts, all labels": ({"method": "prompts"}, {}),
    "linear, all labels": ({"method": "linear"}, {}),
}
"""What follows pretraining with names and keywords, and keywords of the data."""


def candidate_of(pretraining: dict[str, Any], adaptation: dict[str, Value], after: int) -> Candidate:
    """Forty passes of pretraining, and so many of what follows."""
    return Candidate(
        backbone="mobile",
        objective="supervised",
        architecture=MOBILE,
        recipe={**RECIPE, "schedule.warmup_epochs": 0},
        pretraining={"objective": "clip", "share": (EPOCHS - 1) / (EPOCHS - 1 + after), **RECIPE, **pretraining},
        adaptation=adaptation,
    )


def reached(arm: str, seed: int, folder: Path) -> dict[str, float]:
    """Figures of the test split, the loss, and processor seconds."""
    pretraining, keywords = ARMS[arm]
    splits = load_source("emoji", {"captions": ["en", "de"], **keywords})
    candidate = candidate_of(pretraining, {"method": "zero_shot"}, 1)
    torch.set_num_threads(1)
    task, checkpoint = Task(candidate=candidate, epochs=EPOCHS, seed=seed), Checkpoint(path=folder / f"{seed}.pt")
    started = time.process_time()
    reports = list(trial(task, splits, checkpoint=checkpoint))
    seconds, network = time.process_time() - started, trained(task, splits, checkpoint)
    measures = (*retrieval.assess(network, splits).measures, *zero_shot.assess(network, splits).measures)
    figures = {f"{one.metric} {one.part}": one.value for one in measures}
    return {"loss": reports[EPOCHS - 2].loss, "features": reports[EPOCHS - 2].accuracy, **figures, "seconds": seconds}


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_learnt_from_names(arm: str, seed: int, tmp_path: Path) -> None:
    kept("captions", arm, seed, lambda: reached(arm, seed, tmp_path))


def named(method: str, seed: int, folder: Path) -> float:
    """Accuracy on the test split of a seed, on which all methods share one pretraining."""
    adaptation, keywords = METHODS[method]
    splits = load_source("emoji", {"captions": ["en", "de"], "keywords": True, "split_seed": seed, **keywords})
    torch.set_num_threads(1)
    task = Task(candidate=candidate_of({}, adaptation, AFTER), epochs=EPOCHS - 1 + AFTER, seed=seed)
    checkpoint = Checkpoint(path=folder / f"{method} {seed}.pt")
    for _ in trial(task, splits, checkpoint=checkpoint, cache=folder / str(seed)):
        pass
    return accuracy(trained(task, splits, checkpoint), splits.test)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", SEEDS)
def test_what_names_are_worth(method: str, seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "named"
    kept("names", method, seed, lambda: {"accuracy": named(method, seed, folder)})

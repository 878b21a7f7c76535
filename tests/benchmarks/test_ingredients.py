"""What each ingredient of a recipe brings, switched on alone. Prints paired differences and ratios of time."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from spaces import components
from spaces.candidate import Candidate
from tests.benchmarks.small import ARCHITECTURE
from tests.benchmarks.small import RECIPE as SMALL_BATCHES
from trainables.data.sources import load_source
from trainables.preprocessing import INTERPOLATIONS
from trainables.training.building import build
from trainables.training.trial import Task, trial

pytestmark = pytest.mark.benchmark

SEEDS = 5
EPOCHS = 6
FACTORS = (0.3, 1.0, 3.0)
"""Of an optimizer's learning rate as its file states it: each has the best of these on seeds that are not compared."""
TUNING = (100, 101)
RECIPE = {**SMALL_BATCHES, "batch.size": 64}
# The first and the last block have residuals, which stochastic depth needs.
BASE = {**ARCHITECTURE["mobile"], "resolution": 8, "width.2": 16, "stride.2": 1}
WIDE = {**BASE, **{f"width.{stage}": 48 for stage in range(3)}}
LARGE = {**ARCHITECTURE["mobile"], "resolution": 28}
CLOTHES = {"train_images": 1000, "validation": 0.4, "test_images": 100}
EIGHT_BIT = {"adamw8bit": "adamw", "sgd8bit": "sgd"}
GROWING = {"shift": 0.1, "rotate_degrees": 10.0, "erase": 0.25}
Recipe = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    accuracy: float
    seconds: float
    """Of processor time."""


def run(recipe: Recipe, seed: int, architecture: Mapping[str, Any] = BASE, epochs: int = EPOCHS) -> Run:
    small = architecture["resolution"] == BASE["resolution"]
    splits = load_source("digits", {}) if small else load_source("fashion_mnist", CLOTHES)
    started = time.process_time()
    task = Task(candidate=candidate(recipe, architecture), epochs=epochs, seed=seed)
    accuracy = list(trial(task, splits))[-1].accuracy
    return Run(accuracy, time.process_time() - started)


def candidate(recipe: Recipe, architecture: Mapping[str, Any]) -> Candidate:
    return Candidate(backbone="mobile", objective="supervised", architecture=architecture, recipe=recipe)


def with_optimizer(knobs: Mapping[str, Any], factor: float = 1.0) -> Recipe:
    rate = f"learning_rate.{knobs['name']}"
    rest = {address: value for address, value in RECIPE.items() if not address.startswith("optimizer.")}
    own = {f"optimizer.{knob}": value for knob, value in {**knobs, rate: factor * knobs[rate]}.items()}
    return {**rest, **own, "optimizer.weight_decay": RECIPE["optimizer.weight_decay"]}


def tuned(knobs: Mapping[str, Any]) -> Recipe:
    """With the learning rate that is best on the tuning seeds."""
    recipes = [with_optimizer(knobs, factor) for factor in FACTORS]
    means = [np.mean([run(recipe, seed).accuracy for seed in TUNING]) for recipe in recipes]
    best = int(np.argmax(means))
    rate = recipes[best][f"optimizer.learning_rate.{knobs['name']}"]
    print(f"  {knobs['name']}: rate {rate:.2g}, which is {FACTORS[best]} of the file's; mean {means[best]:.3f}")
    return recipes[best]


def module_of(name: str) -> Any:
    return components.load(components.INGREDIENTS, name)


def optimizers() -> list[Mapping[str, Any]]:
    return [knobs for knobs in module_of("optimizer").TRIED if knobs["name"] not in EIGHT_BIT]


def switched(base: Recipe) -> dict[str, Recipe]:
    """The baseline with one ingredient changed: each setting that its file says was tried; off where it is on."""
    found: dict[str, Recipe] = {}
    for name in components.names(components.INGREDIENTS):
        if name == "optimizer":
            continue
        own = {address: value for address, value in base.items() if address.startswith(f"{name}.")}
        settings = list(module_of(name).TRIED)
        if own and module_of(name).OFF is not None:
            settings.append(module_of(name).OFF)
        for knobs in settings:
            addressed = {f"{name}.{knob}": value for knob, value in knobs.items()}
            if addressed != own:
                rest = {address: value for address, value in base.items() if address not in own}
                found[titled(addressed)] = {**rest, **addressed}
    return found


def titled(knobs: Recipe) -> str:
    return " ".join(
        f"{key}={value:.3g}" if isinstance(value, float) else f"{key}={value}" for key, value in knobs.items()
    )


def compare(base: list[Run], other: list[Run], comparisons: int) -> str:
    """Difference in percentage points with Student's 95 % interval, and whether it holds for that many comparisons."""
    apart_S = 100 * np.array([two.accuracy - one.accuracy for one, two in zip(base, other, strict=True)])
    error = max(stats.sem(apart_S), 1e-12)
    (low, high), (least, most) = (
        stats.t.interval(level, len(apart_S) - 1, apart_S.mean(), error) for level in (0.95, 1 - 0.05 / comparisons)
    )
    ratio_S = np.array([two.seconds / one.seconds for one, two in zip(base, other, strict=True)])
    mean = np.mean([each.accuracy for each in other])
    return (
        f"{mean:.3f}  {apart_S.mean():+.2f} [{low:+.2f}, {high:+.2f}]{' *' if least > 0 or most < 0 else '  '}"
        f"  time {np.median(ratio_S):.2f} ({ratio_S.min():.2f} to {ratio_S.max():.2f})"
    )


def compared(title: str, recipes: Mapping[str, Recipe], architecture: Mapping[str, Any] = BASE) -> None:
    """Train each recipe with each seed and print it against the first; a line is there as soon as its runs are."""

    def runs(recipe: Recipe) -> list[Run]:
        found = [run(recipe, seed, architecture) for seed in range(SEEDS)]
        assert all(each.accuracy > 0.2 for each in found)  # ten classes: it learns
        return found

    (first, recipe), *others = recipes.items()
    base = runs(recipe)
    mean, spread = np.mean([each.accuracy for each in base]), np.std([each.accuracy for each in base], ddof=1)
    print(f"\n{title}; {SEEDS} seeds, {len(others)} comparisons (* : holds for all of them together)")
    print(f"  {first:60} {mean:.3f} (deviation over seeds {spread:.3f})", flush=True)
    for name, other in others:
        print(f"  {name:60} {compare(base, runs(other), len(others))}", flush=True)


def test_ingredients_alone() -> None:
    torch.set_num_threads(1)
    base, *others = (tuned(knobs) for knobs in optimizers())
    recipes = {"baseline": base, **{f"optimizer.name={recipe['optimizer.name']}": recipe for recipe in others}}
    recipes |= switched(base)
    compared(f"digits, {EPOCHS} passes", recipes)


def test_efficient_training_where_pixels_cost() -> None:
    """EfficientTrain's two halves at a side where the pixels, not the number of layers, take the time."""
    torch.set_num_threads(1)
    augmented = {f"augment.{knob}": value for knob, value in GROWING.items()}
    curriculum = {"curriculum.start": 0.714}
    recipes: dict[str, Recipe] = {
        "baseline": RECIPE,
        "curriculum": {**RECIPE, **curriculum},
        "curriculum, growing augmentation": {**RECIPE, **augmented, "augment.first": 1 / 9, **curriculum},
    }
    run(RECIPE, 0, LARGE, 1)
    compared(f"Fashion-MNIST, 28 pixels, {EPOCHS} passes", recipes, LARGE)


def test_rules_of_resizing() -> None:
    """Images of 28 pixels to 20; which statistics normalise them is among the ingredients on digits."""
    torch.set_num_threads(1)
    recipes = {rule: {**RECIPE, "preprocess.resize": rule} for rule in INTERPOLATIONS}
    compared(f"Fashion-MNIST, 28 pixels to 20, {EPOCHS} passes", recipes, {**LARGE, "resolution": 20})


@pytest.mark.parametrize("name", EIGHT_BIT)
def test_eight_bits_against_thirty_two(name: str) -> None:
    """On a wider network, where part of the elements have states in 8 bits; both at the rate of the file."""
    torch.set_num_threads(1)
    knobs = next(each for each in module_of("optimizer").TRIED if each["name"] == EIGHT_BIT[name])
    full = with_optimizer(knobs)
    small = {
        address.replace(f".{EIGHT_BIT[name]}", f".{name}"): name if address == "optimizer.name" else value
        for address, value in full.items()
    }
    counted = [each.numel() for each in build(candidate(full, WIDE), load_source("digits", {})).parameters()]
    share = sum(count for count in counted if count >= 4096) / sum(counted)
    print(f"\n  {share:.0%} of {sum(counted):,} elements have states in 8 bits")
    compared("8 bits against 32", {EIGHT_BIT[name]: full, name: small}, WIDE)

"""What every ingredient on disk must do, with the settings that its file states: new files need no edit here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from inspect import signature
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from timm.layers import DropPath
from torch import Tensor, nn

from spaces import components
from spaces.candidate import keywords
from spaces.dimensions import Value
from tests.conformance.contracts import lacking
from tests.conformance.workers import together
from tests.trainables.small import residual
from trainables.batches.fields import VOCABULARY
from trainables.data import digits
from trainables.deploy import Deployable
from trainables.objectives import supervised
from trainables.plan import Batch, Plan, Stage, compose
from trainables.recipe import Ingredient
from trainables.splits import Splits
from trainables.stages.phases import Task
from trainables.training.building import build
from trainables.training.checkpoint import Checkpoint
from trainables.training.epoch import train_epoch
from trainables.training.loading import Loader
from trainables.training.trial import trial
from trainables.training.world import World

NAMES = components.names(components.INGREDIENTS)
BASE: dict[str, Value] = {"optimizer.name": "adamw", "optimizer.learning_rate.adamw": 1e-2, "batch.size": 32}


def module_of(name: str) -> ModuleType:
    return components.load(components.INGREDIENTS, name)


@dataclass(frozen=True)
class Case:
    """An ingredient with one of the settings that its file states."""

    name: str
    knobs: Mapping[str, Value]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{knob}={value}' for knob, value in self.knobs.items())})"

    @property
    def recipe(self) -> dict[str, Value]:
        """A plain recipe with this ingredient in place of its own."""
        rest = {address: value for address, value in BASE.items() if not address.startswith(f"{self.name}.")}
        return {**rest, **{f"{self.name}.{knob}": value for knob, value in self.knobs.items()}}


TRIED = [Case(name, knobs) for name in NAMES for knobs in module_of(name).TRIED]
OFF = [Case(name, module_of(name).OFF) for name in NAMES if module_of(name).OFF is not None]


@cache
def few() -> Splits:
    whole = digits.load()
    train, validation = (part.take(np.arange(0, len(part), 9)) for part in (whole.train, whole.validation))
    return replace(whole, train=train, validation=validation)


def task_of(recipe: Mapping[str, Value]) -> Task:
    return Task(candidate=residual(recipe), epochs=2, seed=3)


Outcome = tuple[list[tuple[float, float]], dict[str, Tensor]]


def outcome(task: Task, folder: Path, stop: int | None = None) -> Outcome:
    """Losses and accuracies by epoch, and the weights that are evaluated; goes on where the folder's checkpoint is."""
    checkpoint = Checkpoint(path=folder / "x.pt")
    try:
        reports = list(islice(trial(task, few(), checkpoint=checkpoint), stop))
    except ValueError as error:
        if isinstance(error.__cause__, ImportError):
            pytest.skip(str(error))
        raise
    saved = checkpoint.load()
    assert saved is not None
    return [(report.loss, report.accuracy) for report in reports], saved["evaluated"]


def same(one: Outcome, other: Outcome) -> bool:
    """To the last bit."""
    return one[0] == other[0] and all(torch.equal(value, other[1][name]) for name, value in one[1].items())


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return outcome(task_of(BASE), tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize("name", NAMES)
def test_an_ingredient_states_all_of_its_contract(name: str) -> None:
    assert lacking(module_of(name), Ingredient) == []


@pytest.mark.parametrize("name", NAMES)
def test_an_ingredient_says_what_it_is(name: str) -> None:
    module = module_of(name)
    assert isinstance(module.STAGE, Stage)
    assert module.PAPER
    assert module.TRIED
    knobs = set(signature(module.apply).parameters) - {"plan"}
    assert {knob.partition(".")[0] for case in (*module.TRIED, module.OFF or {}) for knob in case} <= knobs


@pytest.mark.parametrize("case", OFF, ids=str)
def test_off_changes_nothing(case: Case, plain: Outcome, tmp_path: Path) -> None:
    network = build(residual(BASE), few())
    before = Plan(epochs=2, images=64, classes=10, network=network, optimizer=torch.optim.SGD(network.parameters()))
    assert module_of(case.name).apply(before, **keywords(case.knobs)) is before
    assert same(outcome(task_of({**BASE, **case.recipe}), tmp_path), plain)


@pytest.mark.parametrize("case", TRIED, ids=str)
def test_a_setting_changes_the_result_and_resumes_exactly(case: Case, plain: Outcome, tmp_path: Path) -> None:
    """Killed after the first epoch; the global random numbers are others when it goes on."""
    task = task_of(case.recipe)
    whole = outcome(task, tmp_path / "whole")
    outcome(task, tmp_path / "cut", 1)
    torch.rand(7)
    assert same(outcome(task, tmp_path / "cut"), whole)
    assert same(whole, plain) == (case.recipe == BASE)


def read_by(plan: Plan, count: int) -> dict[str, np.ndarray]:
    """Random values of the fields that a plan's transforms read, letters of their shapes being the classes or 3."""
    rng = np.random.default_rng(0)
    shapes = {name: [10 if side == "K" else 3 for side in VOCABULARY[name].shape] for name in sorted(plan.fields)}
    return {name: (9 * rng.random([count, *shape])).astype(VOCABULARY[name].dtype) for name, shape in shapes.items()}


def composed_or_skipped(recipe: Mapping[str, Value]) -> Plan:
    """The plan of a small network, unless the recipe needs a package that is not installed."""
    try:
        return composed(recipe, lambda extra: build(residual(BASE), few(), extra))
    except ValueError as error:
        if isinstance(error.__cause__, ImportError):
            pytest.skip(str(error))
        raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Captioned(Batch):
    """A batch with a field that no ingredient knows."""

    caption_B: Tensor


@pytest.mark.parametrize("case", TRIED, ids=str)
def test_a_transform_keeps_unknown_fields(case: Case) -> None:
    plan = composed_or_skipped(case.recipe)
    batch: Batch = Captioned(
        image_BCHW=torch.rand(4, 1, 8, 8),
        target_BK=torch.eye(10)[:4],
        caption_B=torch.arange(4),
        fields={name: torch.from_numpy(value) for name, value in read_by(plan, 4).items()},
    )
    for act in plan.before_epoch:
        act(1)
    for transform in plan.transforms:
        batch = transform(batch, torch.Generator().manual_seed(0))
    assert isinstance(batch, Captioned)
    assert torch.equal(batch.caption_B, torch.arange(4))


@pytest.mark.parametrize("case", TRIED, ids=str)
def test_every_parameter_of_the_backbone_has_a_gradient(case: Case) -> None:
    plan = composed_or_skipped(case.recipe)
    assert np.isfinite(epoch(plan, plan.trained(), 1, World()))
    for name, parameter in plan.built().named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def composed(recipe: Mapping[str, Value], make: Callable[[Mapping[str, Any]], Deployable]) -> Plan:
    def with_objective(plan: Plan) -> Plan:
        return replace(plan, objective=supervised.objective(plan.built()))

    return compose(Plan(epochs=2, images=64, classes=10), recipe, make, with_objective)


def epoch(plan: Plan, objective: nn.Module, number: int, world: World) -> float:
    for act in plan.before_epoch:
        act(number)
    common: dict[str, Any] = {
        "labels": True,
        "seed": 0,
        "device": torch.device("cpu"),
    }
    images = replace(few().train, fields=read_by(plan, len(few().train)))
    loader = Loader(images, square=plan.square, side=few().resolution)
    return train_epoch(plan, objective, loader, epoch=number, number=number, world=world, **common)


class WithoutBatchStatistics(nn.Module):
    """A network whose numbers for an image do not depend on the other images of its worker."""

    def __init__(self, dropout: float = 0.0, stochastic_depth: float = 0.0) -> None:
        super().__init__()
        self.stem, self.block = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.path, self.drop, self.last = DropPath(stochastic_depth), nn.Dropout(dropout), nn.Linear(8, 10)

    def forward(self, image: Tensor) -> Tensor:
        map_ = self.stem(image).relu()
        scores: Tensor = self.last(self.drop((map_ + self.path(self.block(map_).relu())).mean((2, 3))))
        return scores


def losses(world: World, recipes: Mapping[str, Mapping[str, Value]]) -> dict[str, list[float]]:
    """Of two epochs."""
    both = {}
    for name, recipe in recipes.items():
        torch.manual_seed(0)
        plan = composed(
            recipe, lambda extra: Deployable(WithoutBatchStatistics(**extra), mean=[0.3], std=[0.4], resolution=8)
        )
        objective = world.wrap(plan.trained(), torch.device("cpu"))
        both[name] = [epoch(plan, objective, number, world) for number in (1, 2)]
    return both


@pytest.mark.slow
def test_two_workers_match_one_or_their_file_says_why() -> None:
    """The first setting of each ingredient, which needs no optional package."""
    recipes = {case.name: case.recipe for case in reversed(TRIED)}
    both, alone = together(losses, recipes), losses(World(), recipes)
    assert both[0] == both[1]
    for name in recipes:
        if module_of(name).PER_WORKER is not None:
            assert both[0][name] != pytest.approx(alone[name], rel=1e-5), name
        else:
            assert both[0][name] == pytest.approx(alone[name], rel=1e-4), name

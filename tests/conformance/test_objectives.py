"""What every objective on disk must do: a new file is tested here without an edit."""

from dataclasses import replace
from functools import cache
from inspect import signature
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spaces import components
from spaces.candidate import Candidate
from spaces.dimensions import Value
from tests.conformance.contracts import lacking
from tests.conformance.workers import together
from trainables.backbones import mobile, tiny_vit
from trainables.data import digits
from trainables.deploy import Deployable
from trainables.objectives import Objective
from trainables.plan import Batch
from trainables.splits import Splits
from trainables.training.checkpoint import Checkpoint
from trainables.training.pretraining import OWN
from trainables.training.trial import Report, Task, trial
from trainables.training.world import World

NAMES = components.names(components.OBJECTIVES)
TAUGHT = [name for name in NAMES if components.load(components.OBJECTIVES, name).COMPARES is not None]
FREE = [name for name in NAMES if name not in TAUGHT]  # whose knobs all have defaults
MOBILE: dict[str, Value] = {
    "resolution": 8, "stem_width": 8, "stem_stride": 1, "activation": "relu", "head_expansion": 1, "head_width": 16,
    "width.0": 8, "depth.0": 1, "kernel.0": 3, "expansion.0": 2, "stride.0": 2, "squeeze_excite.0": True,
}  # fmt: skip
TINY_VIT: dict[str, Value] = {
    "resolution": 16, "mlp_ratio": 2.0, "conv_expansion": 2, "width.0": 32, "width.1": 32, "depth.0": 1, "depth.1": 1,
    "window.0": 2,
}  # fmt: skip
OPTIMIZER: dict[str, Value] = {"optimizer.name": "adamw", "optimizer.learning_rate.adamw": 3e-3, "batch.size": 32}


def module_of(name: str) -> ModuleType:
    return components.load(components.OBJECTIVES, name)


def knobs(name: str) -> dict[str, Any]:
    return {"teacher": network(name, seed=1).eval()} if name in TAUGHT else {}


def network(name: str, seed: int = 0) -> Deployable:
    torch.manual_seed(seed)
    if "map" in module_of(name).SUPPORTS:
        body = mobile.build(
            classes=10, channels=1, resolution=8, stem_width=8, width=[8], depth=[1], kernel=[3], expansion=[2],
            stride=[2], squeeze_excite=[True], activation="relu", head_expansion=1, head_width=16, stem_stride=1,
        )  # fmt: skip
        return Deployable(body, mean=[0.3], std=[0.4], resolution=8)
    body = tiny_vit.build(
        classes=10, channels=1, resolution=16, width=[32, 32], depth=[1, 1], window=[2], mlp_ratio=2.0, conv_expansion=2
    )
    return Deployable(body, mean=[0.3], std=[0.4], resolution=16)


def candidate(name: str, **pretraining: Any) -> Candidate:
    is_map = "map" in module_of(name).SUPPORTS
    return Candidate(
        backbone="mobile" if is_map else "tiny_vit",
        objective="supervised",
        architecture=MOBILE if is_map else TINY_VIT,
        recipe=OPTIMIZER,
        pretraining={"objective": name, "share": 0.5, **OPTIMIZER, **pretraining},
        adaptation={"method": "full"},
    )


def batch(count: int = 8) -> Batch:
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(10, (count,), generator=generator)
    return Batch(image_BCHW=torch.rand(count, 1, 8, 8, generator=generator), target_BK=torch.eye(10)[labels])


def loss_of(objective: nn.Module, given: Batch, seed: int = 0) -> torch.Tensor:
    value: torch.Tensor = objective(given, torch.Generator().manual_seed(seed))
    return value


@pytest.fixture(name="splits", scope="module")
def _splits() -> Splits:
    return few()


@cache
def few() -> Splits:
    """A tenth of the training images with labels, a quarter of them without."""
    whole = digits.load()
    return replace(
        whole,
        train=whole.train.take(np.arange(0, len(whole.train), 10)),
        pool=whole.train.take(np.arange(0, len(whole.train), 4)),
    )


@pytest.mark.parametrize("name", NAMES)
def test_an_objective_states_all_of_its_contract(name: str) -> None:
    assert lacking(module_of(name), Objective) == []


@pytest.mark.parametrize("name", NAMES)
def test_an_objective_says_what_it_is(name: str) -> None:
    module = module_of(name)
    assert isinstance(module.LABELS, bool)
    assert isinstance(module.FIXED_SIDE, bool)
    assert set(module.SUPPORTS) <= {"map", "tokens"}
    assert module.SUPPORTS
    assert module.PAPER
    assert module.passes() >= 1.0
    assert module.COMPARES in ("scores", "features", None)
    assert ("teacher" in signature(module.objective).parameters) == (module.COMPARES is not None)
    assert module.SOURCE in (OWN, *components.names(components.PICTURES))


def test_a_file_that_lacks_part_of_its_contract_is_told_which() -> None:
    module = ModuleType("half")
    module.LABELS, module.objective = True, nn.Identity  # type: ignore[attr-defined]
    assert lacking(module, Objective) == [
        "COMPARES", "FIXED_SIDE", "PAPER", "PER_WORKER", "SOURCE", "SUPPORTS", "passes"
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_that_is_not_frozen_is_trained(name: str) -> None:
    trained = network(name)
    objective = module_of(name).objective(trained, **knobs(name))
    assert objective.network is trained
    value = loss_of(objective, batch())
    assert value.shape == ()
    value.backward()  # type: ignore[no-untyped-call]
    missing = [
        key
        for key, parameter in objective.named_parameters()
        if parameter.requires_grad != (parameter.grad is not None)
    ]
    assert missing == []
    first = next(trained.network.parameters())
    assert first.grad is not None
    assert first.grad.abs().sum() > 0


@pytest.mark.parametrize("name", NAMES)
def test_the_generator_decides_the_loss(name: str) -> None:
    objective = module_of(name).objective(network(name), **knobs(name)).eval()
    assert torch.equal(loss_of(objective, batch(), 3), loss_of(objective, batch(), 3))


@pytest.mark.parametrize("name", [name for name in NAMES if not module_of(name).LABELS])
def test_labels_are_not_read_by_those_that_say_so(name: str) -> None:
    objective = module_of(name).objective(network(name), **knobs(name)).eval()
    blank = replace(batch(), target_BK=torch.zeros(8, 10))
    assert torch.equal(loss_of(objective, batch()), loss_of(objective, blank))


def without_time(reports: list[Report]) -> list[tuple[int, float, float]]:
    return [(report.epoch, report.accuracy, report.loss) for report in reports]


@cache
def undisturbed(name: str) -> list[tuple[int, float, float]]:
    return without_time(list(trial(Task(candidate=candidate(name), epochs=4, seed=3), few())))


@pytest.mark.parametrize("stop", [1, 3])
@pytest.mark.parametrize("name", FREE)
def test_both_stages_resume_exactly(name: str, stop: int, splits: Splits, tmp_path: Path) -> None:
    task = Task(candidate=candidate(name), epochs=4, seed=3)
    checkpoint = Checkpoint(path=tmp_path / "x.pt")
    first = list(islice(trial(task, splits, checkpoint=checkpoint), stop))
    torch.rand(7)
    resumed = list(trial(task, splits, checkpoint=checkpoint))
    assert without_time(resumed) == undisturbed(name)
    assert without_time(first) == undisturbed(name)[:stop]


def still(name: str) -> dict[str, Any]:
    """Knobs that make all views of an image equal."""
    if name in TAUGHT:
        return knobs(name)
    views = {"crop": 1.0, "jitter": 0.0}
    return {knob: value for knob, value in views.items() if knob in signature(module_of(name).objective).parameters}


def measured(world: World, names: list[str]) -> dict[str, tuple[float, Any]]:
    """Loss and gradient of each objective on this worker's part of a batch."""
    whole, own = batch(), slice(world.rank, None, world.size)
    part = Batch(image_BCHW=whole.image_BCHW[own], target_BK=whole.target_BK[own])
    return {name: _measured(name, part, world) for name in names}


def _measured(name: str, given: Batch, world: World) -> tuple[float, Any]:
    """With fixed batch statistics, so that what is left between workers is the loss itself."""
    objective = module_of(name).objective(network(name), **still(name)).eval()
    wrapped = world.wrap(objective, torch.device("cpu"))  # which must live until the gradients are averaged
    value = loss_of(wrapped, given)
    value.backward()  # type: ignore[no-untyped-call]
    gradient = next(objective.network.parameters()).grad
    return float(value.detach()), gradient.numpy().copy()


def test_two_workers_match_one_or_their_file_says_why() -> None:
    found, alone = together(measured, list(NAMES)), measured(World(), list(NAMES))
    for name in NAMES:
        np.testing.assert_allclose(found[0][name][1], found[1][name][1], err_msg=name)
        mean = (found[0][name][0] + found[1][name][0]) / 2
        loss, gradient = alone[name]
        if module_of(name).PER_WORKER is not None:
            assert mean != pytest.approx(loss, rel=1e-5), name
        else:
            assert mean == pytest.approx(loss, rel=1e-5), name
            np.testing.assert_allclose(found[0][name][1], gradient, rtol=1e-3, atol=1e-6, err_msg=name)

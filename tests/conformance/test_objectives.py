"""What every objective on disk must do: a new file is tested here without an edit."""

from contextlib import suppress
from dataclasses import replace
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
from spaces.candidate import OWN_PICTURES
from tests.conformance.contracts import lacking
from tests.conformance.workers import together
from tests.trainables.small import batch, few_labels, loss_of, network, part_of, pretrained, without_time
from trainables.objectives import Objective
from trainables.plan import Batch
from trainables.training.checkpoint import Checkpoint
from trainables.training.trial import Task, trial
from trainables.training.world import World

NAMES = components.names(components.OBJECTIVES)
TAUGHT = [name for name in NAMES if components.load(components.OBJECTIVES, name).COMPARES is not None]
FREE = [name for name in NAMES if name not in TAUGHT]  # whose knobs all have defaults


def module_of(name: str) -> ModuleType:
    return components.load(components.OBJECTIVES, name)


def knobs(name: str) -> dict[str, Any]:
    return {"teacher": network(name, seed=1).eval()} if name in TAUGHT else {}


@pytest.mark.parametrize("name", NAMES)
def test_an_objective_states_all_of_its_contract(name: str) -> None:
    assert lacking(module_of(name), Objective) == []


@pytest.mark.parametrize("name", NAMES)
def test_an_objective_says_what_it_is(name: str) -> None:
    module = module_of(name)
    assert isinstance(module.LABELS, bool)
    assert isinstance(module.FIXED_SIDE, bool)
    assert set(module.SUPPORTS) <= {"map", "tokens", "sequence"}
    assert module.SUPPORTS
    assert module.PAPER
    assert module.passes() > 0.0
    assert module.COMPARES in ("scores", "features", None)
    assert ("teacher" in signature(module.objective).parameters) == (module.COMPARES is not None)
    assert module.SOURCE in (OWN_PICTURES, *components.names(components.PICTURES))


@pytest.mark.parametrize("name", NAMES)
def test_passes_take_every_knob(name: str) -> None:
    """A space may have any of them."""
    own = signature(module_of(name).objective).parameters
    defaults = {knob: one.default for knob, one in own.items() if one.default is not one.empty and knob != "classes"}
    assert module_of(name).passes(**defaults) == module_of(name).passes()


def test_missing_parts_of_a_contract_are_named() -> None:
    module = ModuleType("half")
    module.LABELS, module.objective = True, nn.Identity  # type: ignore[attr-defined]
    assert lacking(module, Objective) == [
        "AT_MOST", "COMPARES", "FIXED_SIDE", "NEEDS", "ON_FEATURES", "ORDERS", "PAPER", "PER_WORKER", "SOURCE",
        "SUPPORTS", "passes",
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_unfrozen_parameter_is_trained(name: str) -> None:
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
def test_objectives_without_labels_read_none(name: str) -> None:
    objective = module_of(name).objective(network(name), **knobs(name)).eval()
    blank = replace(batch(), target_BK=torch.zeros(8, 10))
    assert torch.equal(loss_of(objective, batch()), loss_of(objective, blank))


@pytest.mark.parametrize("name", FREE)
def test_both_phases_resume_exactly(name: str, tmp_path: Path) -> None:
    """Stopped once in each; the global random numbers are others when it goes on."""
    task = Task(candidate=pretrained(name), epochs=4, seed=3)
    checkpoint = Checkpoint(path=tmp_path / "x.pt")
    first = list(islice(trial(task, few_labels(), checkpoint=checkpoint), 1))
    torch.rand(7)
    until_third = list(islice(trial(task, few_labels(), checkpoint=checkpoint), 3))
    torch.rand(7)
    resumed = list(trial(task, few_labels(), checkpoint=checkpoint))
    undisturbed = without_time(list(trial(task, few_labels())))
    assert without_time(first) == undisturbed[:1]
    assert without_time(until_third) == undisturbed[:3]
    assert without_time(resumed) == undisturbed


def still(name: str) -> dict[str, Any]:
    """Knobs that make all views of an image equal."""
    if name in TAUGHT:
        return knobs(name)
    views = {"crop": 1.0, "jitter": 0.0}
    return {knob: value for knob, value in views.items() if knob in signature(module_of(name).objective).parameters}


def measured(world: World, names: list[str]) -> dict[str, tuple[float, Any]]:
    """Loss and gradient of each objective on this worker's part of a batch."""
    part = part_of(batch(), slice(world.rank, None, world.size))
    return {name: _measured(name, part, world) for name in names}


def _measured(name: str, part: Batch, world: World) -> tuple[float, Any]:
    """With fixed batch statistics, so that what is left between workers is the loss itself."""
    objective = module_of(name).objective(network(name), **still(name)).eval()
    wrapped = world.wrap(objective, torch.device("cpu"))  # which must live until the gradients are averaged
    value = loss_of(wrapped, part)
    value.backward()  # type: ignore[no-untyped-call]
    gradient = next(objective.network.parameters()).grad
    return float(value.detach()), gradient.numpy().copy()


@pytest.mark.slow
def test_two_workers_match_one_or_their_file_says_why() -> None:
    both, alone = together(measured, list(NAMES)), measured(World(), list(NAMES))
    for name in NAMES:
        np.testing.assert_allclose(both[0][name][1], both[1][name][1], err_msg=name)
        mean = (both[0][name][0] + both[1][name][0]) / 2
        loss, gradient = alone[name]
        if module_of(name).PER_WORKER is not None:
            assert mean != pytest.approx(loss, rel=1e-6), name
        else:
            assert mean == pytest.approx(loss, rel=1e-5), name
            np.testing.assert_allclose(both[0][name][1], gradient, rtol=1e-3, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", NAMES)
def test_knobs_that_order_batches_are_the_stated_ones(name: str) -> None:
    plain = module_of(name).objective(network(name), **knobs(name))
    if not hasattr(plain, "order"):
        assert module_of(name).ORDERS == ()
        return
    assert plain.order is None
    ordering = set()
    for knob, default in components.parameters(components.OBJECTIVES, name).defaults.items():
        for value in (2, "group", "pure"):
            with suppress(ValueError, TypeError):
                if type(value) is type(default) and _ordered(name, {knob: value}):
                    ordering.add(knob)
    assert ordering == {knob for knob, _ in module_of(name).ORDERS}


def _ordered(name: str, knob: dict[str, Any]) -> bool:
    return module_of(name).objective(network(name), **knobs(name), **knob).order is not None


@pytest.mark.parametrize("name", NAMES)
def test_largest_batches_are_stated_of_knobs_that_there_are(name: str) -> None:
    parameters = signature(module_of(name).objective).parameters
    for knob, most, times in module_of(name).AT_MOST:
        assert knob in parameters
        assert most in parameters if isinstance(most, str) else most > 0
        assert times >= 1

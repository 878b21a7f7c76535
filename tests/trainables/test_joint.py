"""Several objectives at once: exact special cases, gradients, what is trained, and what is refused."""

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from search.setting.checks.readers import check_readers
from search.setting.config import ConfigError
from spaces import pretraining
from spaces.components import UnknownComponent
from spaces.dimensions import Choice, Dimension
from spaces.space import Space
from tests.conformance.workers import together
from tests.trainables.small import batch, few_labels, loss_of, network, pretrained, without_time
from trainables import joint
from trainables.plan import Batch
from trainables.stages.pretraining import pretrainings_of
from trainables.training.checkpoint import Checkpoint
from trainables.training.trial import Task, trial
from trainables.training.world import World

PAIR = "simclr+rotation"


def made(name: str, **knobs: Any) -> Any:
    torch.manual_seed(1)
    return joint.load(name).objective(network("simclr"), **knobs)


def test_a_part_of_weight_zero_changes_no_bit_and_costs_nothing() -> None:
    alone = pretrained("simclr")
    beside = pretrained(PAIR, **{"weight.simclr": 2.0, "weight.rotation": 0.0})
    assert [stage.passes for one in (alone, beside) for stage in pretrainings_of(one, 4)] == [2.0, 2.0]
    reports = [
        without_time(list(trial(Task(candidate=one, epochs=4, seed=3), few_labels()))) for one in (alone, beside)
    ]
    assert reports[0] == reports[1]


def test_gradients_are_the_weighted_sum() -> None:
    objective = made(PAIR, weight={"simclr": 3.0, "rotation": 1.0}).eval()
    parameters = [parameter for parameter in objective.network.parameters() if parameter.requires_grad]
    one_P, other_P, sum_P = (
        torch.autograd.grad(loss_of(module, batch()), parameters) for module in (*objective.parts.values(), objective)
    )
    for one, other, sum_ in zip(one_P, other_P, sum_P, strict=True):
        torch.testing.assert_close(sum_, 0.75 * one + 0.25 * other, rtol=1e-3, atol=1e-6)


def test_a_parameter_is_trained_if_any_part_trains_it() -> None:
    objective = made("spark+simclr")
    loss_of(objective, batch()).backward()  # type: ignore[no-untyped-call]
    lacking = [name for name, one in objective.named_parameters() if one.requires_grad != (one.grad is not None)]
    assert lacking == []
    by_parts = [
        {n for n, p in made(name).network.named_parameters() if p.requires_grad} for name in ("spark", "simclr")
    ]
    assert by_parts[0] != by_parts[1]
    both = {name for name, parameter in objective.network.named_parameters() if parameter.requires_grad}
    assert both == by_parts[0] | by_parts[1]


class Constant(nn.Module):
    """A part whose loss is the same for all images."""

    def __init__(self, loss: float) -> None:
        super().__init__()
        self._loss = loss

    def forward(self, images: Batch, generator: torch.Generator) -> Tensor:
        del images, generator
        return torch.tensor(self._loss)


def test_a_learned_weight_settles_where_its_scale_is_the_loss() -> None:
    objective = made(PAIR, weights="learned", weight={"simclr": 3.0, "rotation": 1.0})
    assert objective.log_scale.exp().tolist() == pytest.approx([4 / 3, 4.0])
    objective.parts = nn.ModuleDict({"simclr": Constant(3.7), "rotation": Constant(0.2)})
    optimizer = torch.optim.Adam([objective.log_scale], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        loss_of(objective, batch()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert objective.log_scale.exp().tolist() == pytest.approx([3.7, 0.2], rel=1e-2)


def test_both_phases_resume_exactly(tmp_path: Path) -> None:
    task = Task(candidate=pretrained("dino+rotation", weights="learned"), epochs=4, seed=3)
    checkpoint = Checkpoint(path=tmp_path / "x.pt")
    for count in (1, 3):
        list(islice(trial(task, few_labels(), checkpoint=checkpoint), count))
        torch.rand(7)
    resumed = list(trial(task, few_labels(), checkpoint=checkpoint))
    undisturbed = list(trial(task, few_labels()))
    assert without_time(resumed) == without_time(undisturbed)
    assert {"dino.spread", "dino.prototype_entropy"} <= set(undisturbed[0].monitors)


def test_the_networks_tensors_are_kept_once(tmp_path: Path) -> None:
    checkpoint = Checkpoint(path=tmp_path / "x.pt")
    list(islice(trial(Task(candidate=pretrained(PAIR), epochs=4, seed=3), few_labels(), checkpoint=checkpoint), 1))
    saved = checkpoint.load()
    assert saved is not None
    heads = saved["states"]["heads"]
    assert {name.split(".")[1] for name in heads} == {"simclr", "rotation"}
    assert not any(".network." in name for name in heads)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("simclr+nothing", "'nothing' is not in trainables/objectives/"),
        ("simclr+simclr", "names a part twice"),
        ("simclr+distillation", "needs a teacher"),
        ("spark+simmim", "no backbone suits all parts"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, sentence: str) -> None:
    with pytest.raises((joint.JointError, UnknownComponent), match=sentence):
        joint.load(name)


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        ({"weight": {"simclr": -1.0}}, "at least 0 and one is above it"),
        ({"weight": {"simclr": 0.0, "rotation": 0.0}}, "at least 0 and one is above it"),
        ({"weights": "searched"}, "pretraining.weights is fixed or learned, given 'searched'"),
    ],
)
def test_wrong_weights_are_refused(knobs: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        made(PAIR, **knobs)


def space(**knobs: Dimension) -> Space:
    """Of one family, whose pretraining has one objective of its own, a joint one, and further dimensions."""
    return pretraining.with_pretraining(pretraining.transformers(), ("simclr", "simclr+simmim"), knobs)


def test_weights_of_parts_are_dimensions_that_something_reads() -> None:
    weight = Choice(values=(0.5, 1.0), ordered=True)
    offered = space(**{"weight.simmim": weight, "weights": Choice(values=("fixed", "learned"))})
    check_readers(offered)
    lacking = replace(offered, pretraining={**offered.pretraining, "weight.swav": weight})
    with pytest.raises(ConfigError, match=r"that has the part 'swav', as in 'a\+b'"):
        check_readers(lacking)


def test_knobs_of_a_part_belong_to_every_objective_that_has_it() -> None:
    offered = space(**{"simmim.masked": Choice(values=(0.5, 0.6)), "weights": Choice(values=("fixed", "learned"))})
    condition = offered.conditions["pretraining.simmim.masked"]
    assert condition.values == ("simclr+simmim",)
    assert offered.conditions["pretraining.weights"].values == ("simclr+simmim",)


def measured(world: World) -> tuple[float, Any]:
    """Loss and gradient of this worker's part of a batch."""
    whole, own = batch(), slice(world.rank, None, world.size)
    part = Batch(image_BCHW=whole.image_BCHW[own], target_BK=whole.target_BK[own])
    knobs = {"simclr": {"crop": 1.0, "jitter": 0.0}, "dino": {"crop": 1.0, "jitter": 0.0}, "weights": "learned"}
    objective = made("simclr+dino+rotation", **knobs).eval()
    wrapped = world.wrap(objective, torch.device("cpu"))  # which must live until the gradients are averaged
    value = loss_of(wrapped, part)
    value.backward()  # type: ignore[no-untyped-call]
    return float(value.detach()), next(objective.network.parameters()).grad.numpy().copy()


@pytest.mark.slow
def test_two_workers_have_the_loss_of_one() -> None:
    (first, one), (second, other) = together(measured)
    loss, gradient = measured(World())
    assert (first + second) / 2 == pytest.approx(loss, rel=1e-5)
    torch.testing.assert_close(torch.from_numpy(one), torch.from_numpy(other))
    torch.testing.assert_close(torch.from_numpy(one), torch.from_numpy(gradient), rtol=1e-3, atol=1e-6)

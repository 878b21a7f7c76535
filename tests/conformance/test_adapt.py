"""What every method of adaptation on disk must do, and each method's own definition."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from timm.optim import create_optimizer_v2

from search.setting.checks.readers import check_readers
from spaces import components, tiny
from spaces.candidate import Candidate
from spaces.pretraining import with_pretraining
from spaces.sampling import uniform
from tests.conformance.workers import together
from tests.nights import by_night
from tests.trainables.small import batch, few_labels, loss_of, network, pretrained, without_time
from trainables.adapt._shape import shape
from trainables.counting.forms import keywords_of
from trainables.deploy import Deployable, evaluating
from trainables.language.texts import Texts
from trainables.objectives import supervised
from trainables.plan import Plan, compose
from trainables.splits import Splits
from trainables.stages.phases import Task
from trainables.training.checkpoint import Checkpoint
from trainables.training.trial import trial
from trainables.training.world import World

NAMES = components.names(components.ADAPTATIONS)
READING = [name for name in NAMES if components.parameters(components.ADAPTATIONS, name).reads("texts")]
"""Methods that need a text tower, which pretraining with captions leaves."""
BACKBONES = {"mobile": "simclr", "tiny_vit": "simmim"}
"""An objective that the helpers of the objectives' suite pretrain each backbone with."""


@pytest.fixture(name="splits", scope="module")
def _splits() -> Splits:
    return few_labels()


def texts_for(body: Deployable) -> Texts:
    torch.manual_seed(2)
    return Texts(body.width, length=64, width=8, text_width=16, text_depth=1)


def features(network: Deployable) -> torch.Tensor:
    with evaluating(network), torch.no_grad():
        return network.pooled(few_labels().train.batch(np.arange(8))[0])


def adapted(name: str, body: Deployable, **knobs: Any) -> Plan:
    plan, method = Plan(epochs=1, images=8, classes=10, network=body), components.load(components.ADAPTATIONS, name)
    shape(body.network, candidate_of(name, "mobile"))
    splits, reads = few_labels(), components.parameters(components.ADAPTATIONS, name).reads
    # With a classifier that was trained before, so that the body has gradients from the first step on.
    trained = {"features": features, "trained": True}
    offered = {"names": splits.names, "synonyms": {}, "pool": splits.unlabelled, **trained}
    own = {keyword: value for keyword, value in offered.items() if reads(keyword)}
    if name in READING:
        own["texts"] = texts_for(body)
    adapted: Plan = method.adapt(plan, **{**own, **knobs})
    return adapted


def candidate_of(method: str, backbone: str, **knobs: Any) -> Candidate:
    candidate = replace(pretrained(BACKBONES[backbone]), adaptation={"method": method, **knobs})
    if method in READING:
        return replace(candidate, pretraining={**candidate.pretraining, "objective": "clip"})
    return candidate


@pytest.mark.parametrize("name", NAMES)
def test_a_method_says_what_it_is(name: str) -> None:
    method = components.load(components.ADAPTATIONS, name)
    assert method.PAPER
    assert (adapted(name, network("simclr")).objective is not None) == method.OWN_LOSS
    knobs = components.parameters(components.ADAPTATIONS, name).defaults
    assert method.FORM is None or set(keywords_of(method.FORM)) <= set(knobs)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_has_a_gradient_or_is_frozen(name: str, backbone: str) -> None:
    body = network(BACKBONES[backbone]).requires_grad_(False)
    plan = adapted(name, body)
    objective = plan.objective or supervised.objective(plan.built())
    loss_of(objective, batch()).backward()  # type: ignore[no-untyped-call]
    assert all(parameter.requires_grad == (parameter.grad is not None) for parameter in objective.parameters())
    own = [parameter for parameter in objective.parameters() if parameter.requires_grad]
    for parameter in own if name in READING else body.classifier.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


@pytest.mark.parametrize("backbone", by_night(BACKBONES, {"tiny_vit"}))
@pytest.mark.parametrize("name", NAMES)
def test_both_phases_resume_exactly(name: str, backbone: str, splits: Splits, tmp_path: Path) -> None:
    """Stopped once in each."""
    task = Task(candidate=candidate_of(name, backbone), epochs=4, seed=3)
    checkpoint = Checkpoint(path=tmp_path / "x.pt")
    for stop in (1, 3):
        list(islice(trial(task, splits, checkpoint=checkpoint), stop))
        torch.rand(7)
    resumed = list(trial(task, splits, checkpoint=checkpoint))
    assert without_time(resumed) == without_time(list(trial(task, splits)))


def reported(world: World, cache: Path, names: Sequence[str]) -> dict[str, list[tuple[int, float, float]]]:
    tasks = {name: Task(candidate=candidate_of(name, "mobile"), epochs=4, seed=3) for name in names}
    return {
        name: without_time(list(trial(task, few_labels(), cache=cache, world=world))) for name, task in tasks.items()
    }


@pytest.mark.slow
def test_two_workers_agree_and_probe_as_one(tmp_path: Path) -> None:
    """From the same pretrained weights; a probe reads no batch statistics. One method thaws weights at work."""
    alone = reported(World(), tmp_path, ["linear"])
    workers = together(reported, tmp_path, ["linear", "linear_then_full"])
    assert workers[0] == workers[1]
    for (_, accuracy, loss), (_, expected, one) in zip(workers[0]["linear"], alone["linear"], strict=True):
        assert accuracy == pytest.approx(expected, abs=0.004)  # rounding may tip two of the 539 images
        assert loss == pytest.approx(one, rel=1e-4)


@pytest.mark.nightly
def test_two_workers_agree_in_every_method(tmp_path: Path) -> None:
    workers = together(reported, tmp_path, NAMES)
    assert workers[0] == workers[1]


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("average", [{}, {"ema.decay": 0.5}])
def test_a_linear_probe_keeps_the_features(
    backbone: str, average: dict[str, Any], splits: Splits, tmp_path: Path
) -> None:
    """All of them, running statistics too, to the last bit; and it fits the classifier."""
    probe = candidate_of("linear", backbone)
    task = Task(candidate=replace(probe, recipe={**probe.recipe, **average}), epochs=4, seed=3)
    states = []
    for stop in (2, 4):
        checkpoint = Checkpoint(path=tmp_path / f"{stop}.pt")
        reports = list(islice(trial(task, splits, checkpoint=checkpoint), stop))
        saved = checkpoint.load()
        assert saved is not None
        states.append(saved["evaluated"])
    last = {name for name in states[0] if torch.equal(states[0][name], states[1][name])}
    classifier = {f"network.{name}" for name, _ in network(BACKBONES[backbone]).network.named_parameters()} - last
    assert set(states[0]) - last == classifier
    assert len(classifier) == 2  # weight and bias
    assert reports[3].loss < reports[2].loss


def groups_of(optimizer: torch.optim.Optimizer, key: str) -> dict[torch.nn.Parameter, float]:
    return {parameter: group[key] for group in optimizer.param_groups for parameter in group["params"]}


@pytest.mark.parametrize("weight_decay", [0.0, 0.05])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_rates_are_those_that_timm_gives_the_layers(backbone: str, weight_decay: float) -> None:
    """And which weights decay does not depend on them."""
    body = network(BACKBONES[backbone])
    reference = create_optimizer_v2(body.network, opt="adamw", lr=0.01, layer_decay=0.7)
    expected = groups_of(reference, "lr_scale")
    recipe = {"optimizer.name": "adamw", "optimizer.learning_rate.adamw": 0.01, "optimizer.weight_decay": weight_decay}

    def optimizer(decay: float) -> torch.optim.Optimizer:
        def with_objective(plan: Plan) -> Plan:
            return replace(adapted("full", body, layer_decay=decay), objective=supervised.objective(body))

        return compose(Plan(epochs=1, images=8, classes=10), recipe, lambda extra: body, with_objective).optimized()

    rates = groups_of(optimizer(0.7), "lr")
    assert set(rates) == set(expected) == set(body.parameters())
    assert len(set(rates.values())) > 2
    for parameter, scale in expected.items():
        assert rates[parameter] == pytest.approx(0.01 * scale)
    assert set(groups_of(optimizer(1.0), "lr").values()) == {0.01}
    assert groups_of(optimizer(0.7), "weight_decay") == groups_of(optimizer(1.0), "weight_decay")


def test_only_a_decay_below_one_changes_training(splits: Splits) -> None:
    runs = [
        without_time(list(trial(Task(candidate=candidate_of("full", "mobile", **knobs), epochs=3, seed=3), splits)))
        for knobs in ({}, {"full.layer_decay": 1.0}, {"full.layer_decay": 0.5})
    ]
    assert runs[0] == runs[1]
    assert runs[1][0] == runs[2][0]  # the pretraining is the same
    assert runs[1][1:] != runs[2][1:]


def test_a_decayed_schedule_resumes_exactly(splits: Splits, tmp_path: Path) -> None:
    decayed = candidate_of("full", "tiny_vit", **{"full.layer_decay": 0.7})
    schedule: dict[str, Any] = {"schedule.name": "cosine", "schedule.warmup_epochs": 1, "schedule.final": 0.01}
    task = Task(candidate=replace(decayed, recipe={**decayed.recipe, **schedule}), epochs=4, seed=3)
    checkpoint = Checkpoint(path=tmp_path / "x.pt")
    list(islice(trial(task, splits, checkpoint=checkpoint), 3))
    resumed = list(trial(task, splits, checkpoint=checkpoint))
    assert without_time(resumed) == without_time(list(trial(task, splits)))


@pytest.mark.parametrize("decay", [0.0, -0.5, 1.5])
def test_a_decay_out_of_range_is_refused(decay: float) -> None:
    with pytest.raises(ValueError, match=r"layer_decay is in \(0, 1\], given"):
        adapted("full", network("simclr"), layer_decay=decay)


def test_a_network_without_layers_is_refused() -> None:
    bare = Deployable(torch.nn.Linear(4, 3), mean=[0.5], std=[0.5], resolution=8)
    with pytest.raises(ValueError, match="Linear has no group_matcher"):
        adapted("full", bare, layer_decay=0.5)


def test_a_space_may_search_over_methods_and_their_knobs(splits: Splits) -> None:
    space = with_pretraining(tiny.space(), ("none", "simclr"))
    check_readers(space)
    candidates = space.decode(uniform(space, 200, np.random.default_rng(0)))
    pretrained = [choice for choice in candidates if choice.adaptation]
    assert {choice.adaptation["method"] for choice in pretrained} == {"full", "linear"}
    for choice in pretrained:
        assert ("full.layer_decay" in choice.adaptation) == (choice.adaptation["method"] == "full")
    probe = next(choice for choice in pretrained if choice.adaptation["method"] == "linear")
    assert len(list(trial(Task(candidate=probe, epochs=2, seed=0), splits))) == 2


def without_head(state: dict[str, torch.Tensor], body: Deployable) -> dict[str, torch.Tensor]:
    return {name: value for name, value in state.items() if not name.startswith(f"{body.name_of_classifier}.")}


def changed_by(name: str, **knobs: Any) -> tuple[Deployable, set[str]]:
    """A network after a step of a method, with the names of what is not as before but the classifier."""
    body = network("simclr")
    before = {key: value.clone() for key, value in without_head(body.state_dict(), body).items()}
    plan = adapted(name, body, **knobs)
    for begin in plan.before_epoch:
        begin(plan.epochs)
    step(plan, torch.optim.SGD([p for p in body.parameters() if p.requires_grad], lr=0.1, weight_decay=0.01))
    after = without_head(body.state_dict(), body)
    return body, {key for key, value in after.items() if not torch.equal(value, before[key])}


def step(plan: Plan, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    objective = supervised.objective(plan.built()).train()
    loss_of(objective, batch()).backward()  # type: ignore[no-untyped-call]
    for prepare in plan.before_step:
        prepare(optimizer)
    optimizer.step()


STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def of_norms(body: Deployable, *suffixes: str) -> set[str]:
    return {
        f"{name}.{suffix}"
        for name, module in body.named_modules()
        if isinstance(module, torch.nn.BatchNorm2d)
        for suffix in suffixes
    }


def test_frozen_norms_stay_and_all_else_moves() -> None:
    body, changed = changed_by("frozen_norms")
    assert changed == set(without_head(body.state_dict(), body)) - of_norms(body, "weight", "bias", *STATISTICS)


def test_norms_alone_move_with_the_biases() -> None:
    body, changed = changed_by("norms")
    biases = {name for name in without_head(body.state_dict(), body) if name.endswith(".bias")}
    assert changed == biases | of_norms(body, "weight", *STATISTICS)
    assert changed_by("norms", statistics="pretrained")[1] == biases | of_norms(body, "weight")


def test_pretrained_statistics_stay_where_all_weights_move() -> None:
    body, changed = changed_by("full", statistics="pretrained")
    assert changed == set(without_head(body.state_dict(), body)) - of_norms(body, *STATISTICS)


def test_the_top_moves_and_what_lies_below_rests() -> None:
    _, changed = changed_by("top", stages=1)
    assert changed
    assert {name.split(".")[1] for name in changed}.isdisjoint({"conv_stem", "bn1"})
    _, whole = changed_by("top", stages=9)
    assert whole == changed_by("full")[1]


def test_a_probe_comes_first_and_all_weights_later(splits: Splits) -> None:
    """With the reports of a probe as long as it is one."""
    probe = Task(candidate=candidate_of("linear", "mobile"), epochs=5, seed=3)
    knobs = {"linear_then_full.share": 0.7, "linear_then_full.head_rate": 1.0}
    both = candidate_of("linear_then_full", "mobile", **knobs)
    reports = without_time(list(trial(replace(probe, candidate=both), splits)))
    alone = without_time(list(trial(probe, splits)))
    assert reports[:4] == alone[:4]  # two of pretraining, two of three of what follows
    assert reports[4:] != alone[4:]


def test_the_classifier_has_a_rate_of_its_own() -> None:
    plan = adapted("full", network("simclr"), head_rate=10.0, layer_decay=0.5)
    head = {"network.classifier.weight", "network.classifier.bias"}
    assert {name for name, rate in plan.rates.items() if rate == 10.0} == head
    assert max(rate for name, rate in plan.rates.items() if name not in head) <= 1.0


def test_a_body_that_is_thawed_has_a_rate_of_its_own_and_keeps_its_statistics() -> None:
    plan = adapted("linear_then_full", network("simclr"), head_rate=5.0, body_rate=0.2)
    head = {"network.classifier.weight", "network.classifier.bias"}
    names = {name for name, _ in plan.built().named_parameters()}
    assert dict(plan.rates) == {name: 5.0 if name in head else 0.2 for name in names}
    body, changed = changed_by("linear_then_full")
    statistics = of_norms(body, *STATISTICS)
    assert changed == set(without_head(body.state_dict(), body)) - statistics
    assert changed_by("linear_then_full", statistics="own")[1] == changed | statistics


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_weights_decay_towards_where_they_began(optimizer: str) -> None:
    """L2-SP by hand, at the optimizer's rate; the classifier decays to zero as the recipe says."""
    recipe = {f"optimizer.learning_rate.{optimizer}": 0.1, "optimizer.name": optimizer, "optimizer.weight_decay": 0.5}

    def composed(l2_sp: float) -> Plan:
        body = network("simclr")

        def with_objective(plan: Plan) -> Plan:
            return replace(adapted("full", body, l2_sp=l2_sp), objective=supervised.objective(body))

        return compose(Plan(epochs=1, images=8, classes=10), recipe, lambda extra: body, with_objective)

    pulled, free = composed(0.3), composed(0.0)
    begin = {name: value.detach().clone() for name, value in pulled.built().named_parameters()}
    decays = groups_of(pulled.optimized(), "weight_decay")
    for name, parameter in pulled.built().named_parameters():
        assert decays[parameter] == (0.5 if name == "network.classifier.weight" else 0.0)
    assert 0.5 in groups_of(free.optimized(), "weight_decay").values()
    (anchor,) = (state for name, state in pulled.states.items() if name == "anchor")
    moved = {name: value + 1.0 for name, value in begin.items()}
    for name, parameter in pulled.built().named_parameters():
        parameter.data.copy_(moved[name])
        parameter.grad = torch.zeros_like(parameter)
    pulled.before_step[0](pulled.optimized())
    for name, parameter in pulled.built().named_parameters():
        expected = moved[name] if "classifier" in name else moved[name] - 0.1 * 0.3
        assert torch.allclose(parameter, expected)
    assert anchor.state_dict().keys() == {name for name in begin if "classifier" not in name}


def test_where_weights_began_survives_a_kill(splits: Splits, tmp_path: Path) -> None:
    """It is what the first phase has trained, which a resumed second phase does not see."""
    task = Task(candidate=candidate_of("full", "mobile", **{"full.l2_sp": 10.0}), epochs=4, seed=3)
    checkpoint = Checkpoint(path=tmp_path / "x.pt")
    list(islice(trial(task, splits, checkpoint=checkpoint), 3))
    resumed = list(trial(task, splits, checkpoint=checkpoint))
    assert without_time(resumed) == without_time(list(trial(task, splits)))
    free = replace(task, candidate=candidate_of("full", "mobile"))
    assert without_time(resumed)[2:] != without_time(list(trial(free, splits)))[2:]


@pytest.mark.parametrize(
    ("name", "knobs", "message"),
    [
        ("full", {"head_rate": 0.0}, "full.head_rate is above 0, given 0"),
        ("norms", {"head_rate": -1.0}, "norms.head_rate is above 0"),
        ("full", {"l2_sp": -1.0}, "full.l2_sp is at least 0, given -1"),
        ("full", {"statistics": "theirs"}, "full.statistics is 'theirs'; it can be own or pretrained"),
        ("linear_then_full", {"share": 1.0}, r"linear_then_full.share is in \(0, 1\), given 1"),
        ("linear_then_full", {"body_rate": 0.0}, "linear_then_full.body_rate is above 0, given 0"),
        ("top", {"stages": 0}, "top.stages is at least 1, given 0"),
    ],
)
def test_a_value_out_of_range_is_refused(name: str, knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        adapted(name, network("simclr"), **knobs)

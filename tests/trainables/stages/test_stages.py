"""Pretraining in stages: what each trains, from what it begins, its compute and key, and that it resumes exactly."""

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from search.family.spent import spent
from search.setting.checks.readers import check_readers
from search.setting.checks.sections import check_stages
from search.setting.config import Config, ConfigError
from spaces import components, further
from spaces.candidate import Candidate
from spaces.sampling import uniform
from tests.trainables.small import batch, few_labels, loss_of, network, pretrained, without_time
from trainables.final.jobs import FinalJob, keep_network, network_of
from trainables.job import Report
from trainables.joint import load
from trainables.objectives import agreement
from trainables.plan import Plan
from trainables.stages.phases import number_of_training, phases_of
from trainables.stages.pretraining import keys_of, pretrainings_of
from trainables.training.checkpoint import Checkpoint
from trainables.training.left import Heads, Left
from trainables.training.trial import Task, trained, trial

DISTILLED = pretrained("mae", stages="distilled", share=0.67, **{"further.share": 0.75})
"""Of six reports the stages have one, one and two."""


def staged(stages: str, **pretraining: Any) -> Candidate:
    return pretrained("simclr", stages=stages, **pretraining)


@pytest.mark.parametrize(
    ("stages", "share", "further", "epochs", "reports"),
    [
        ("once", 0.5, None, 10, [5]),
        ("twice", 0.5, 0.5, 12, [3, 3]),
        ("twice", 0.25, 0.9, 4, [1, 1]),
        ("distilled", 0.5, 0.5, 12, [3, 1, 2]),
        ("distilled", 0.1, 0.1, 4, [1, 1, 1]),
        ("distilled", 0.8, 0.75, 10, [2, 3, 3]),
    ],
)
def test_stages_share_the_reports_of_pretraining(
    stages: str, share: float, further: float | None, epochs: int, reports: list[int]
) -> None:
    knobs = {} if further is None else {"further.share": further}
    assert [one.reports for one in pretrainings_of(staged(stages, share=share, **knobs), epochs)] == reports


def test_later_stages_see_the_datas_own_images_and_the_last_agrees_with_the_second() -> None:
    candidate = staged("distilled", source="fractals", **{"weight.agreement": 0.5, "fractals.systems": 7})
    first, second, third = pretrainings_of(candidate, 8)
    assert [one.pictures for one in (first, second, third)] == ["fractals", "own", "own"]
    assert [(one.begins, one.teacher) for one in (first, second, third)] == [(None, None), (0, None), (0, 1)]
    assert (second.objective, second.pictures_knobs) == ("simclr", {})
    assert third.objective == "simclr+agreement"
    assert third.knobs == {"simclr": {}, "weight": {"agreement": 0.5}}
    assert third.passes == pytest.approx(2 + 4 / 3)
    assert first.recipe == second.recipe == third.recipe


def test_further_stages_of_a_joint_objective_keep_its_weights() -> None:
    candidate = pretrained("simclr+mae", stages="distilled", **{"weight.mae": 2.0, "weight.agreement": 0.1})
    assert pretrainings_of(candidate, 8)[2].knobs == {"weight": {"mae": 2.0, "agreement": 0.1}}


def test_every_stage_has_its_part_of_the_same_compute() -> None:
    splits, task = few_labels(), Task(candidate=DISTILLED, epochs=8, seed=0)
    stages = pretrainings_of(DISTILLED, 8)
    phases = list(phases_of(task, splits, stages, [0, 0, 0]))
    made = [phase.plan.epochs * phase.plan.images for phase in phases]
    passes = sum(count * each for count, each in zip(made, [*(one.passes for one in stages), 1.0], strict=True))
    assert passes == pytest.approx(8 * len(splits.unlabelled), abs=8)
    whole = spent(DISTILLED, splits, epochs=8, reached=8, seconds=1.0)
    assert (whole.images, whole.passes) == (sum(made), 8 * len(splits.unlabelled))
    first = spent(DISTILLED, splits, epochs=8, reached=stages[0].reports, seconds=1.0)
    assert first.images == made[0]


KEYS = {"c058a40e23773967": ("simclr", {}), "1bdc92d3b63a96f6": ("mae", {"mae.masked": 0.5})}
"""Of pretrainings that were stored before there were stages."""


@pytest.mark.parametrize("key", KEYS)
def test_stored_pretrainings_keep_their_keys(key: str) -> None:
    name, knobs = KEYS[key]
    candidate = pretrained(name, **knobs)
    assert keys_of(candidate, pretrainings_of(candidate, 4), few_labels()) == [key]


def test_a_first_stage_is_shared_with_a_whole_pretraining_and_later_keys_know_what_came_before() -> None:
    splits = few_labels()

    def keys(candidate: Candidate, epochs: int) -> list[str]:
        return keys_of(candidate, pretrainings_of(candidate, epochs), splits)

    once, twice, three = keys(staged("once"), 4), keys(staged("twice"), 8), keys(staged("distilled"), 8)
    assert once[0] == twice[0] == three[0]
    assert len({*once, *twice, *three}) == 4  # the second stage of three has fewer reports than that of two
    others = (staged("distilled", source="fractals"), staged("distilled", **{"weight.agreement": 0.3}))
    assert [keys(one, 8)[2] == three[2] for one in others] == [False, False]


@pytest.mark.parametrize("shared", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_every_phase_resumes_exactly(shared: bool, tmp_path: Path) -> None:
    """Stopped once in each of four; the global random numbers are others when it goes on."""
    task, checkpoint = Task(candidate=DISTILLED, epochs=6, seed=3), Checkpoint(path=tmp_path / "x.pt")
    folders = {name: tmp_path / name if shared else None for name in ("whole", "stopped")}
    undisturbed = without_time(list(trial(task, few_labels(), cache=folders["whole"])))
    for stop in (1, 2, 3, 5):
        part = list(islice(trial(task, few_labels(), checkpoint=checkpoint, cache=folders["stopped"]), stop))
        assert without_time(part) == undisturbed[:stop]
        torch.rand(7)
    resumed = trial(task, few_labels(), checkpoint=checkpoint, cache=folders["stopped"])
    assert without_time(list(resumed)) == undisturbed
    assert trained(task, few_labels(), checkpoint).training is False


def test_no_stage_of_pretraining_is_a_trained_network(tmp_path: Path) -> None:
    task, checkpoint = Task(candidate=DISTILLED, epochs=4, seed=3), Checkpoint(path=tmp_path / "x.pt")
    list(islice(trial(task, few_labels(), checkpoint=checkpoint), 3))
    assert number_of_training(DISTILLED, 4) == 3
    with pytest.raises(FileNotFoundError, match="no checkpoint of a trained network"):
        trained(task, few_labels(), checkpoint)
    job = FinalJob(name="soup", candidate=DISTILLED, epochs=4, seed=0)
    mixture = network("mae")
    keep_network(job, mixture, Report(epoch=4, accuracy=0.5, loss=1.0, seconds=1.0), tmp_path)
    kept = network_of(job, few_labels(), tmp_path).state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in mixture.state_dict().items())


def test_weight_zero_is_plain_further_pretraining_bit_for_bit() -> None:
    """Both begin from one earlier stage, its decoder included."""
    stage = load("mae").objective(network("mae"))
    left = Left(objective="mae", heads=Heads(stage).state_dict())
    states = []
    for name, knobs in (("mae", {}), ("mae+agreement", {"weight": {"agreement": 0.0}})):
        own = network("mae", seed=2)
        objective = load(name).objective(own, **knobs)
        Heads(objective).go_on_from(left, name)
        optimizer = torch.optim.AdamW(objective.parameters(), lr=1e-3)
        for step in range(3):
            optimizer.zero_grad()
            loss_of(objective, batch(), step).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        heads = {key.removeprefix("parts.mae."): value for key, value in Heads(objective).state_dict().items()}
        states.append({**own.state_dict(), **heads})
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


def test_agreement_is_the_squared_distance_and_leaves_the_teacher_alone() -> None:
    student, teacher = network("agreement"), network("agreement", seed=1).eval()
    before = {key: value.clone() for key, value in teacher.state_dict().items()}
    objective = agreement.objective(student, teacher=teacher).eval()
    loss = loss_of(objective, batch())
    value = loss.item()
    apart_BF = (student.pooled(batch().image_BCHW) - teacher.pooled(batch().image_BCHW)).detach().numpy()
    assert value == pytest.approx(np.mean([np.sum(row**2) for row in apart_BF]), rel=1e-5)
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert all(torch.equal(value, before[key]) for key, value in teacher.state_dict().items())
    assert not Heads(objective).state_dict()
    assert loss_of(agreement.objective(teacher, teacher=teacher).eval(), batch()).item() == 0.0


@pytest.mark.parametrize(
    ("pretraining", "epochs", "sentence"),
    [
        ({"stages": "thrice"}, 8, "pretraining.stages is once, twice, distilled; given 'thrice'"),
        ({"stages": "distilled"}, 3, "need a share between 0 and 1 and 4 epochs or more"),
        ({"further.share": 0.5}, 8, r"pretraining\.stages is 'once', which has no further\.share; leave these out"),
        ({"stages": "twice", "weight.agreement": 0.5}, 8, "is 'twice', which has no weight.agreement"),
        ({"stages": "twice", "further.share": 1.5}, 8, "pretraining.further.share is between 0 and 1, given 1.5"),
        ({"objective": "simclr+agreement"}, 8, "set pretraining.stages to 'distilled'"),
        ({"stages": "twice", "objective": "supervised"}, 8, "'supervised' reads class labels, and further stages"),
    ],
)
def test_stages_that_cannot_be_are_refused(pretraining: dict[str, Any], epochs: int, sentence: str) -> None:
    base = pretrained("simclr")
    with pytest.raises(ValueError, match=sentence):
        pretrainings_of(replace(base, pretraining={**base.pretraining, **pretraining}), epochs)


def test_an_adaptation_is_given_what_pretraining_has_left_also_where_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[Left] = []

    def adapt(plan: Plan, *, left: Left) -> Plan:
        seen.append(left)
        return full(plan)

    full, parameters = components.load(components.ADAPTATIONS, "full").adapt, components.parameters
    monkeypatch.setattr("trainables.adapt.full.adapt", adapt)
    reads = components.Parameters({"plan": components.NO_DEFAULT, "left": components.NO_DEFAULT}, takes_any=False)
    monkeypatch.setattr(
        components, "parameters", lambda kind, name: reads if name == "full" else parameters(kind, name)
    )
    task, checkpoint = Task(candidate=pretrained("simclr"), epochs=4, seed=3), Checkpoint(path=tmp_path / "x.pt")
    list(islice(trial(task, few_labels(), checkpoint=checkpoint), 3))
    list(trial(task, few_labels(), checkpoint=checkpoint))
    assert len(seen) == 2
    for left in seen:
        assert left.objective == "simclr"
        objective = load("simclr").objective(network("simclr"))
        Heads(objective).go_on_from(left, "simclr")
        assert Heads(objective).state_dict().keys() == (left.heads or {}).keys() != set()


def test_a_teacher_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="compares 16 features with those of a teacher of the same form, given one"):
        agreement.objective(network("spark"), teacher=network("mae"))


def test_the_space_offers_all_stages_and_a_check_says_where_epochs_are_too_few() -> None:
    space = further.space()
    check_readers(space)
    candidates = space.decode(uniform(space, 200, np.random.default_rng(0)))
    stages = {len(pretrainings_of(candidate, 8)) for candidate in candidates}
    assert stages == {0, 1, 2, 3}
    config = Config.model_validate({"name": "x", "data": {"source": "digits"}, "space": {"name": "further"}})
    check_stages(space, config)
    with pytest.raises(ConfigError, match=r"search\.epochs is 3; .* has the value 'distilled', .* need 4 epochs"):
        check_stages(space, config.model_copy(update={"search": config.search.model_copy(update={"epochs": 3})}))

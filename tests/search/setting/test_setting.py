from dataclasses import replace

import pytest

from search.setting.checks.readers import check_readers
from search.setting.checks.sections import check_executor, check_packages, check_soup
from search.setting.config import ConfigError, parse
from search.setting.sections.family import FamilySection
from search.setting.setting import prepare
from spaces import components, every_recipe, finetune_small, pretraining, tiny
from spaces.dimensions import Choice
from spaces.pretraining import with_pretraining


@pytest.mark.parametrize("section", ["family: {assess: [by_slice]}", "search: {score: assess.by_slice.worst}"])
def test_an_evaluation_that_the_data_cannot_serve_is_named(section: str) -> None:
    with pytest.raises(ConfigError, match=r"has evaluation 'by_slice': it needs the field slice .* does not have"):
        prepare(parse(f"name: a\n{section}"))


def test_an_evaluation_that_needs_a_text_tower_is_refused_where_no_network_has_one() -> None:
    with pytest.raises(ConfigError, match=r"'zero_shot': it needs a text tower, .* space 'tiny' offers no such"):
        prepare(parse("name: a\nspace: {name: tiny}\nfamily: {assess: [zero_shot]}"))


@pytest.mark.parametrize("name", components.names(components.SPACES))
def test_everything_in_the_shipped_spaces_is_read(name: str) -> None:
    check_readers(components.load(components.SPACES, name).space())


@pytest.mark.parametrize(
    ("role", "address", "message"),
    [
        ("recipe", "magic.power", r"'recipe.magic.power' needs that keyword in trainables/recipe/magic.py"),
        ("recipe", "mixup.beta", r"'recipe.mixup.beta' needs that keyword in trainables/recipe/mixup.py"),
        ("architecture", "heads.0", r"'architecture.heads.0' needs that keyword in trainables/backbones/mobile.py"),
    ],
)
def test_an_address_that_nothing_reads_is_named(role: str, address: str, message: str) -> None:
    space = tiny.space()
    wider = replace(space, **{role: {**getattr(space, role), address: Choice(values=(1, 2))}})
    with pytest.raises(ConfigError, match=message):
        check_readers(wider)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("simclr.heat", r"'pretraining.simclr.heat' needs that keyword in trainables/objectives/simclr.py"),
        ("optimizer.speed", r"'pretraining.optimizer.speed' needs that keyword in trainables/recipe/optimizer.py"),
        ("objective", r"'pretraining.objective' has the value '1', which is not in trainables/objectives/"),
    ],
)
def test_an_address_of_pretraining_that_nothing_reads_is_named(address: str, message: str) -> None:
    space = with_pretraining(tiny.space(), ("none", "simclr"))
    wider = replace(space, pretraining={**space.pretraining, address: Choice(values=(1, 2))}, conditions={})
    with pytest.raises(ConfigError, match=message):
        check_readers(wider)


def test_a_method_of_adaptation_that_does_not_exist_is_named() -> None:
    magic = {"method": Choice(values=("magic",))}
    space = replace(with_pretraining(tiny.space(), ("none",)), adaptation=magic, conditions={})
    with pytest.raises(ConfigError, match=r"'magic', which is not in trainables/adapt/"):
        check_readers(space)


def test_an_unknown_backbone_is_named() -> None:
    with pytest.raises(ConfigError, match=r"trainables/backbones/unknown.py"):
        check_readers(replace(tiny.space(), backbone="unknown"))


def test_a_number_of_budgets_is_spaced_up_to_the_limit() -> None:
    config = parse("name: a\nlimits: {max_macs: 500k, max_params: 50k}\nfamily: {max_macs: 4}")
    problem = prepare(config).problem
    macs = [budget.max_macs or 0 for budget in problem.budgets]
    assert len(macs) == 4
    assert macs == sorted(macs)
    assert macs[-1] <= 500_000
    assert {budget.max_params for budget in problem.budgets} == {50_000}


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("executor: serial, workers_per_trial: 2", r"run\.workers_per_trial 2 .* use run\.executor: ray_train$"),
        ("executor: serial, concurrent: 2", r"run\.concurrent 2 .* use run\.executor: ray_train or ray_tune$"),
        ("executor: serial, memory: 1G", r"run\.memory 1000000000\.0 is more than"),
        ("executor: serial, gpus: auto", r"run\.gpus auto is more than"),
        ("executor: ray_tune, workers_per_trial: 2", r"use run\.executor: ray_train$"),
        ("executor: ray_train, workers_per_trial: 2, gpus: auto", "'auto' measures trials of one worker"),
        ("executor: ray_train, workers_per_trial: 2, gpus: 0.5", "only they can share a GPU"),
    ],
)
def test_an_executor_is_asked_for_what_it_offers(run: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_executor(parse(f"name: x\nrun: {{{run}}}"))


def test_serial_joins_no_cluster() -> None:
    with pytest.raises(ConfigError, match=r"ray\.address 'auto' is more than run\.executor 'serial' offers"):
        check_executor(parse("name: x\nrun: {executor: serial}\nray: {address: auto}"))


def test_a_soup_needs_trainings_that_begin_alike() -> None:
    family = FamilySection(soup="greedy")
    for space in (pretraining.space(), finetune_small.space()):
        check_soup(family, space)
    check_soup(FamilySection(), tiny.space())
    with pytest.raises(ConfigError, match="space 'tiny' has neither pretraining nor pretrained weights"):
        check_soup(family, tiny.space())


def test_a_space_whose_optimizers_lack_their_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_packages(every_recipe.space())
    monkeypatch.setattr("search.setting.checks.sections.find_spec", lambda name: None)
    check_packages(tiny.space())
    with pytest.raises(ConfigError, match="offers the optimizers adamw8bit, sgd8bit, which need bitsandbytes"):
        check_packages(every_recipe.space())

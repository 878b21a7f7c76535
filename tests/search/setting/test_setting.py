from dataclasses import replace

import pytest

from search.setting.config import ConfigError, parse
from search.setting.readers import check_readers
from search.setting.setting import prepare
from spaces import components, tiny
from spaces.dimensions import Choice
from spaces.pretraining import with_pretraining


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

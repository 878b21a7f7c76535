"""Along which addresses a ladder may be, and what its rungs are."""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from search.errors import UsageError
from search.ladder.along import COLUMNS, Along, along_of, rungs_along
from search.setting.config import parse
from search.setting.setting import Setting, prepare
from spaces.candidate import Candidate
from spaces.sampling import uniform

WIDTH = "architecture.width.0"


@cache
def setting(most: int = 10_000_000, space: str = "{name: tiny}") -> Setting:
    return prepare(parse(f"name: a\nspace: {space}\nlimits: {{max_macs: {most}}}\nfamily: {{max_macs: [{most}]}}"))


def pair(of: Setting, **wanted: Any) -> Candidate:
    """One of a space with these values by address."""
    drawn = of.space.decode(uniform(of.space, 500, np.random.default_rng(0)))
    return next(
        one for one in drawn if all(one.architecture.get(name, one.backbone) == wanted[name] for name in wanted)
    )


def ladder(
    address: str, values: str | None = None, *, of: Setting | None = None, over: str = "macs", **wanted: Any
) -> Along:
    of = of or setting()
    return along_of(of, pair(of, **wanted), address, values, over=over, seeds=2, epochs=3)


def test_rungs_differ_in_one_address_and_rise_in_cost() -> None:
    along = ladder(WIDTH)
    assert along.values == (4, 8, 12, 16, 24)
    assert [rung.architecture["width.0"] for rung in along.rungs] == list(along.values)
    for rung in along.rungs:
        assert {**rung.by_address, WIDTH: 0} == {**along.rungs[0].by_address, WIDTH: 0}
    macs = [setting().statistics_of(rung).macs for rung in along.rungs]
    assert macs == [costs[0] for costs in along.costs]
    assert macs == sorted(macs)


def test_values_that_are_asked_for_may_pass_the_limits_and_others_do_not() -> None:
    whole = ladder("architecture.resolution")
    between = whole.costs[4][0]
    narrow = setting(between)
    assert (
        along_of(narrow, whole.candidate, whole.address, None, over="macs", seeds=2, epochs=3).values
        == whole.values[:5]
    )
    asked = along_of(narrow, whole.candidate, whole.address, "32,8,12,16", over="macs", seeds=2, epochs=3)
    assert asked.values == (8, 12, 16, 32)


def test_a_joined_space_has_its_own_addresses() -> None:
    of = setting(space="{name: small_families}")
    along = ladder("architecture.mobile.width.0", of=of, backbone="mobile")
    assert [rung.architecture["width.0"] for rung in along.rungs] == [4, 8, 12, 16, 24]


@pytest.mark.parametrize(
    ("address", "values", "sentence"),
    [
        ("width.0", None, r"space 'tiny' has no 'width.0'; a ladder can be along .*architecture.width.0"),
        ("architecture.activation", None, "architecture.activation is a choice without an order"),
        ("recipe.dropout.rate", None, "recipe.dropout.rate changes no macs, .* choose an address of the architecture"),
        ("architecture.kernel.0", None, "needs 4 values or more, each of other macs; within the limits are 3, 5"),
        (WIDTH, "4,8,12,13", r"--values are different ones of 4, 8, 12, 16, 24; given '4,8,12,13'"),
        (WIDTH, "4,8,8,12,16", "--values are different ones"),
        (WIDTH, "4,8,12", "needs 4 values or more"),
    ],
)
def test_an_address_that_makes_no_ladder_is_one_sentence(address: str, values: str | None, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        ladder(address, values)
    assert "\n" not in str(caught.value)


def test_resolution_changes_no_parameters() -> None:
    with pytest.raises(UsageError, match=r"changes no params, so that no law can be over them; .* or --over macs"):
        ladder("architecture.resolution", over="params")


def test_an_address_of_another_family_is_switched_off() -> None:
    of = setting(space="{name: small_families}")
    with pytest.raises(
        UsageError, match=r"architecture.mobile.width.0 is switched off in pair .*architecture.vit.width"
    ):
        ladder("architecture.mobile.width.0", of=of, backbone="vit")


def test_trainings_of_other_ladders_are_left_alone() -> None:
    along = ladder(WIDTH)
    own, key = along.candidate.key, along.rungs[0].key
    rows = [
        (own, 3, WIDTH, 8, along.rungs[1].key, 200, 20, 1, 0.5, 0.6, 40),
        (own, 3, WIDTH, 4, key, 100, 10, 0, 0.5, 0.6, 40),
        (own, 3, WIDTH, 4, key, 100, 10, 2, 0.5, 0.6, 40),
        (own, 9, WIDTH, 4, key, 100, 10, 0, 0.5, 0.6, 40),
        (own, 3, "architecture.width.1", 4, key, 100, 10, 0, 0.5, 0.6, 40),
        ("other", 3, WIDTH, 4, key, 100, 10, 0, 0.5, 0.6, 40),
    ]
    table = rungs_along(pd.DataFrame(rows, columns=list(COLUMNS)), along)
    assert table[["macs", "seed"]].to_numpy().tolist() == [[100, 0], [200, 1]]

"""Values of elsewhere as codes of a space."""

import numpy as np
import pytest

from spaces import pretraining, tiny
from spaces.dimensions import Choice, Integer, Real
from spaces.sampling import uniform
from spaces.space import Condition, Space
from spaces.translation import addressed, translate

SPACE = Space(
    name="new",
    backbone="mlp",
    architecture={"width": Choice(values=(16, 32, 64), ordered=True), "act": Choice(values=("relu", "tanh"))},
    recipe={
        "lr": Real(low=1e-4, high=1.0, levels=5, log=True),
        "momentum": Integer(low=0, high=9),
        "fixed": Choice(values=(7,)),
    },
    conditions={"recipe.momentum": Condition(parent="architecture.act", values=("relu",))},
)
MEMBER = {"architecture.width": 32, "architecture.act": "relu", "recipe.lr": 0.01, "recipe.momentum": 3}


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({}, [1, 0, 2, 3, 0]),
        ({"architecture.width": 40}, [1, 0, 2, 3, 0]),
        ({"architecture.width": 50}, [2, 0, 2, 3, 0]),
        ({"recipe.lr": 0.02}, [1, 0, 2, 3, 0]),  # a third of a decade: nearest in the logarithm
        ({"recipe.lr": 0.05}, [1, 0, 3, 3, 0]),
        ({"architecture.act": "tanh"}, [1, 1, 2, -1, 0]),
        ({"recipe.old": "gone"}, [1, 0, 2, 3, 0]),
        ({"architecture.width": 128}, None),
        ({"architecture.act": "gelu"}, None),
        ({"architecture.width": "32"}, None),
        ({"recipe.momentum": True}, None),
    ],
)
def test_values_become_codes(change: dict[str, object], codes: list[int] | None) -> None:
    row = translate(SPACE, {**MEMBER, **change})  # type: ignore[dict-item]
    assert (None if row is None else row.tolist()) == codes
    assert row is None or SPACE.contains(row[None]).all()


def test_an_unmentioned_active_dimension_is_unknown() -> None:
    assert translate(SPACE, {a: v for a, v in MEMBER.items() if a != "recipe.momentum"}) is None  # type: ignore[misc]


def test_members_are_translated_to_themselves() -> None:
    space = tiny.space()
    codes_ND = uniform(space, 50, np.random.default_rng(0))
    back = [translate(space, addressed(space, candidate) or {}) for candidate in space.decode(codes_ND)]
    np.testing.assert_array_equal(np.array(back), codes_ND)


def test_members_of_a_joined_space_are_translated_to_themselves() -> None:
    space = pretraining.space()
    codes_ND = uniform(space, 40, np.random.default_rng(0))
    back = [translate(space, addressed(space, candidate) or {}) for candidate in space.decode(codes_ND)]
    np.testing.assert_array_equal(np.stack(back), codes_ND)  # type: ignore[arg-type]

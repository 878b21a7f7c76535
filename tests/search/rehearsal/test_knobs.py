"""Values of a component's knobs that exclude each other are found before the first trial, by asking the component."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from search.rehearsal.knobs import MOST, check_knobs
from spaces import components, every_recipe, tiny
from spaces.dimensions import Choice
from spaces.mistake import Mistake
from spaces.space import Condition, Space
from tests.search.setting.test_batches import offering


@pytest.mark.parametrize("name", components.names(components.SPACES))
def test_no_shipped_space_offers_knobs_that_exclude_each_other(name: str) -> None:
    check_knobs(components.load(components.SPACES, name).space())


@pytest.mark.parametrize(
    ("objective", "values", "words", "mended"),
    [
        (
            "croco", {"croco__pairs": ("views", "group"), "croco__gap": (0, 2)},
            r"offers pretraining.croco.gap 2, which 'croco' of trainables/objectives/ cannot do: .*with pairs 'views'",
            {"croco.pairs": ["group"]},
        ),
        (
            "dino", {"dino__neighbours": (0.0, 1.0), "dino__nearest": (8, 256), "dino__queue": (128, 512)},
            r"dino.neighbours 1.0 with pretraining.dino.nearest 256 with pretraining.dino.queue 128, .* 256 of 128",
            {"dino.queue": [512]},
        ),
        (
            "dino", {"dino__masked_least": (0.1, 0.4), "dino__masked_most": (0.3, 0.5)},
            r"dino.masked_least 0.4 with pretraining.dino.masked_most 0.3, .*in order", {"dino.masked_least": [0.1]},
        ),
        (
            "dino", {"dino__clusters": (0.0, 1.0), "dino__instances": (0.0, 1.0)},
            r"dino.clusters 0.0, .* one is above it", {"dino.clusters": [1.0]},
        ),
        (
            "sit", {"sit__dropped": (0.2, 0.8), "sit__replaced": (0.0, 0.3)},
            r"sit.dropped 0.8 with pretraining.sit.replaced 0.3, .*at most 1 together", {"sit.replaced": [0.0]},
        ),
        (
            "sit", {"sit__dropped": (0.0, 0.2), "sit__pixels": (0.0, 1.0)},
            r"sit.dropped 0.0, .* nothing to paint", {"sit.dropped": [0.2]},
        ),
        (
            "clip", {"clip__prototypes": (0.0, 1.0), "clip__clusters": (32, 64), "clip__queue": (32, 512)},
            r"clip.prototypes 1.0 with pretraining.clip.clusters 64 with pretraining.clip.queue 32, .*holds as many",
            {"clip.clusters": [32]},
        ),
        (
            "multi_instance", {"fractals__systems": (2, 100), "fractals__most": (1, 3)},
            r"fractals.systems 2, .*given systems 2, most 3", {"fractals.systems": [100]},
        ),
        (
            "simclr+rotation", {"weight__simclr": (0.0, 1.0), "weight__rotation": (0.0, 1.0)},
            r"weight.simclr 0.0 with pretraining.weight.rotation 0.0, .*one is above it", {"weight.simclr": [1.0]},
        ),
    ],
)  # fmt: skip
def test_knobs_that_exclude_each_other_are_named_with_what_mends_them(
    objective: str, values: Mapping[str, tuple[Any, ...]], words: str, mended: Mapping[str, list[Any]]
) -> None:
    space = offering(objective, **values)
    with pytest.raises(Mistake, match=words) as refusal:
        check_knobs(space)
    assert len(str(refusal.value)) <= 400
    check_knobs(space.restrict({f"pretraining.{name}": kept for name, kept in mended.items()}))


def with_recipe(**values: tuple[Any, ...]) -> Space:
    """Space ``tiny`` with these values in its recipe."""
    own = {address.replace("__", "."): Choice(values=offered) for address, offered in values.items()}
    return replace(tiny.space(), recipe={**tiny.space().recipe, **own})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"label_pooling__weight": (0.0, 0.5)}, r"label_pooling.weight 0.5, .*needs recipe.label_pooling.teacher"),
        (
            {"optimizer__name": ("sgd", "adamw", "rmsprop", "adagrad")},
            r"optimizer.name adagrad.*needs learning_rate",
        ),
        ({"photo_augment__crop": (0.5, 1.0)}, r"photo_augment.crop 1.0, .*crop below 1"),
    ],
)
def test_ingredients_are_asked_too(values: Mapping[str, tuple[Any, ...]], words: str) -> None:
    with pytest.raises(Mistake, match=words):
        check_knobs(with_recipe(**values))


def test_eight_bits_without_momentum_are_refused_before_a_network_is_built() -> None:
    space = every_recipe.space().restrict({"recipe.optimizer.name": ["sgd8bit"]})
    recipe = {**space.recipe, "optimizer.momentum.sgd8bit": Choice(values=(0.0, 0.9))}
    with pytest.raises(Mistake, match=r"momentum.sgd8bit is above 0"):
        check_knobs(replace(space, recipe=recipe))


def test_knobs_that_no_candidate_has_together_are_no_mistake() -> None:
    space = offering("croco", croco__pairs=("views", "group"), croco__gap=(0, 2))
    only_in_groups = Condition(parent="pretraining.croco.pairs", values=("group",))
    check_knobs(replace(space, conditions={**space.conditions, "pretraining.croco.gap": only_in_groups}))


def test_more_combinations_than_can_be_tried_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    many: dict[str, tuple[Any, ...]] = {
        f"dino__{knob}": tuple(range(1, 11)) for knob in ("width", "prototypes", "crops")
    }
    values = {"dino__neighbours": (0.0, 1.0), "dino__nearest": (8, 256), "dino__queue": (128, 512), **many}
    assert math.prod(map(len, values.values())) > MOST
    with pytest.raises(Mistake, match=r"given 256 of 128"):
        check_knobs(offering("dino", **values))

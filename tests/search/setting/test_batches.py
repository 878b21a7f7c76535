"""Choices of a space that exclude each other in a pretraining's batches are found before the first trial."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from search.setting.checks.batches import check_batches
from search.setting.checks.data import check_captions, check_fields
from search.setting.config import ConfigError
from spaces import components, self_supervised_groups, tiny
from spaces.dimensions import Choice
from spaces.pretraining import OBJECTIVE, with_pretraining
from spaces.sampling import uniform
from spaces.space import Condition, Space
from trainables.batches.fields import FieldError
from trainables.data import digits
from trainables.splits import Splits


def of_fields(per_group: int = 16, origins: int = 1) -> Splits:
    """The digits with every field that an objective reads."""
    splits = digits.load()
    number_N = np.arange(len(splits.train))
    fields: dict[str, Any] = {
        "group": number_N // per_group,
        "frame": number_N % per_group,
        "origin": number_N % origins,
        "level": number_N % 2,
        "caption": np.ones((len(number_N), 1, 8), dtype=np.uint16),
    }
    return replace(splits, train=replace(splits.train, fields=fields))


def offering(objective: str, **values: tuple[Any, ...]) -> Space:
    """Space ``tiny`` with a pretraining, and these values at addresses below it, in which ``__`` is a dot."""
    space = with_pretraining(tiny.space(), (objective,))
    own = {address.replace("__", "."): Choice(values=offered) for address, offered in values.items()}
    conditions = {
        f"pretraining.{address}": Condition(parent=OBJECTIVE, values=(objective,))
        for address in own
        if f"pretraining.{address}" not in space.conditions
    }
    return replace(space, pretraining={**space.pretraining, **own}, conditions={**space.conditions, **conditions})


@pytest.mark.parametrize("name", components.names(components.SPACES))
def test_no_shipped_space_offers_what_cannot_be_trained(name: str) -> None:
    space = components.load(components.SPACES, name).space()
    check_batches(space, of_fields())


def test_images_that_teach_each_other_are_in_groups() -> None:
    space = self_supervised_groups.space()
    check_fields(space, of_fields())
    candidates = space.decode(uniform(space, 400, np.random.default_rng(0)))
    sources = {candidate.pretraining.get("source") for candidate in candidates if "dino" in _objective(candidate)}
    assert sources == {None}


def _objective(candidate: Any) -> str:
    return str(candidate.pretraining.get("objective"))


def test_a_source_without_what_a_knob_reads_is_refused() -> None:
    space = offering("dino", dino__instances_per_group=(1, 2), source=("own", "fractals"))
    words = r"group .* the images of pretraining.source 'fractals' do not have.*pretraining.dino.instances_per_group"
    with pytest.raises(FieldError, match=words):
        check_fields(space, of_fields())
    check_fields(space.restrict({"pretraining.source": ["own"]}), of_fields())
    check_fields(space.restrict({"pretraining.dino.instances_per_group": [1]}), of_fields())


@pytest.mark.parametrize(
    ("objective", "values", "words", "mended"),
    [
        (
            "dino", {"dino__instances_per_group": (1, 2), "source": ("own", "mix")},
            r"instances_per_group 2 together with pretraining.source mix", {"source": ["own"]},
        ),
        (
            "croco", {"croco__pairs": ("views", "group"), "sampling__rare": (0.0, 0.1)},
            r"croco.pairs group together with pretraining.sampling.rare 0.1", {"sampling.rare": [0.0]},
        ),
        (
            "dino", {"dino__instances_per_group": (2, 3), "source": ("own",)},
            r"instances_per_group 3 with batches of 64 images, which groups of 3 do not fill",
            {"dino.instances_per_group": [2]},
        ),
        (
            "dino", {"dino__instances_per_group": (2, 32), "source": ("own",)},
            r"needs 32 images of a group, and the largest group has 16", {"dino.instances_per_group": [2]},
        ),
        (
            "graph_match", {"graph_match__edges": (0.0, 0.2), "batch__size": (256, 512)},
            r"graph_match.edges .* batches of 512 images, of which it takes 256", {"batch.size": [256]},
        ),
        (
            "simclr", {"simclr__memory": (0, 128), "batch__size": (64, 256)},
            r"simclr.memory .* batches of 256 images, of which it takes 128 at most", {"simclr.memory": [0]},
        ),
        (
            "dino", {"dino__instances": (0.0, 1.0), "dino__queue": (64, 512)},
            r"dino.instances .* batches of 64 images, of which it takes 32 at most.*restrict pretraining.dino.queue",
            {"dino.queue": [512]},
        ),
        (
            "clip", {"mixup__alpha": (0.0, 0.2)},
            r"mixup.alpha 0.2 together with objective 'clip', which reads the field caption .*cannot be mixed",
            {"mixup.alpha": [0.0]},
        ),
        (
            "croco", {"croco__pairs": ("views", "group"), "mixup__alpha": (0.0, 0.2)},
            r"mixup.alpha 0.2 together with objective 'croco' and pretraining.croco.pairs, .* field group",
            {"croco.pairs": ["views"]},
        ),
        (
            "simmim", {"curriculum__start": (0.5, 1.0)},
            r"curriculum.start 0.5 together with objective 'simmim', which needs the full resolution",
            {"curriculum.start": [1.0]},
        ),
    ],
)  # fmt: skip
def test_choices_that_exclude_each_other_are_named_with_what_mends_them(
    objective: str, values: Mapping[str, tuple[Any, ...]], words: str, mended: Mapping[str, list[Any]]
) -> None:
    space = offering(objective, **values)
    with pytest.raises(ConfigError, match=words):
        check_batches(space, of_fields())
    check_batches(space.restrict({f"pretraining.{name}": kept for name, kept in mended.items()}), of_fields())


def test_choices_that_no_candidate_has_together_are_no_mistake() -> None:
    space = offering("graph_match", graph_match__edges=(0.0, 0.2), batch__size=(256, 512))
    space = replace(
        space,
        conditions={
            **space.conditions,
            "pretraining.graph_match.edges": Condition(parent="pretraining.batch.size", values=(256,)),
        },
    )
    check_batches(space, of_fields())


def test_more_origins_than_prefixes_are_refused() -> None:
    space = offering("clip", clip__prefix=(False, True))
    check_captions(space, of_fields(origins=2))
    with pytest.raises(ConfigError, match=r"clip.prefix, whose prefixes tell 2 origins apart, and these images have 3"):
        check_captions(space, of_fields(origins=3))
    check_captions(space.restrict({"pretraining.clip.prefix": [False]}), of_fields(origins=3))


def test_a_mix_with_more_pools_than_prefixes_is_refused() -> None:
    splits = of_fields()
    pooled = replace(splits, pools={"one": splits.train, "two": splits.train})
    space = offering("clip", clip__prefix=(True,), source=("mix",))
    with pytest.raises(ConfigError, match=r"these images have 3: restrict it to false, or join fewer"):
        check_captions(space, pooled)

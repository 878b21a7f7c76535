"""What training took, against what was really drawn."""

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from search.family.members import Family, load_family
from search.family.spent import Spent, spent, together
from search.words import named
from spaces import components
from spaces.sampling import uniform
from tests.nights import by_night
from tests.search.products import member
from trainables.batches.order import Shuffled
from trainables.data.sources import load_source
from trainables.splits import Pictures
from trainables.training.trial import Task, trial


@pytest.mark.parametrize("objective", by_night((None, "simclr"), {None}))
def test_images_are_those_that_were_drawn(objective: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    splits = load_source("digits", {"labels": 0.1})
    space = components.load(components.SPACES, "tiny").space().restrict({"architecture.resolution": [8]})
    candidate = space.decode(uniform(space, 1, np.random.default_rng(0)))[0]
    if objective is not None:
        stage = {"objective": objective, "share": 0.5, **candidate.recipe}
        candidate = replace(candidate, pretraining=stage, adaptation={"method": "full"})
    drawn: list[int] = []
    plain = Shuffled.rows

    def counted(self: Shuffled, pictures: Pictures, wanted: int, batch: int, rng: np.random.Generator) -> object:
        drawn.append(wanted)
        return plain(self, pictures, wanted, batch, rng)

    monkeypatch.setattr(Shuffled, "rows", counted)
    stopped = 3 if objective is None else 4
    reports = list(islice(trial(Task(candidate=candidate, epochs=4, seed=0), splits), stopped))
    effort = spent(candidate, splits, epochs=4, reached=len(reports), seconds=reports[-1].seconds)
    assert effort.images == sum(drawn)
    assert effort.passes == stopped * len(splits.unlabelled)
    assert (effort.images < effort.passes) == (objective is not None)  # two views of an image are two passes
    assert effort.seconds == reports[-1].seconds


def test_what_a_curriculum_saves_is_counted() -> None:
    splits = load_source("digits", {})
    space = components.load(components.SPACES, "every_recipe").space().restrict({"architecture.resolution": [16]})
    plain, early = (
        space.restrict({"recipe.curriculum.start": [start]}).decode(
            uniform(space.restrict({"recipe.curriculum.start": [start]}), 1, np.random.default_rng(0))
        )[0]
        for start in (1.0, 0.5)
    )
    images = len(splits.train)
    assert spent(plain, splits, epochs=10, reached=10, seconds=1.0).passes == 10 * images
    whole = spent(early, splits, epochs=10, reached=10, seconds=1.0)
    assert whole.passes == round((6 * 8**2 + 2 * 12**2 + 2 * 16**2) / 16**2 * images)  # at 8, 12 and 16 pixels
    assert whole.images == 10 * images
    assert spent(early, splits, epochs=10, reached=3, seconds=1.0).passes == round(3 / 4 * images)


def test_trainings_are_added_up() -> None:
    one = Spent(trainings=1, seconds=1.5, images=10, passes=20)
    assert together([one, one, one]) == Spent(trainings=3, seconds=4.5, images=30, passes=60)


def test_the_family_keeps_it_and_reads_older_ones(tmp_path: Path) -> None:
    effort = {"final": Spent(trainings=1, seconds=1.5, images=10, passes=20)}
    family = Family(members=(member(spent=effort),))
    family.save(tmp_path)
    assert load_family(tmp_path) == family
    assert len({*family.members, *load_family(tmp_path).members}) == 1  # hashable
    document = json.loads((tmp_path / "family.json").read_text())
    assert document["members"][0].pop("spent") == {
        "final": {"trainings": 1, "seconds": 1.5, "images": 10, "passes": 20}
    }
    (tmp_path / "family.json").write_text(json.dumps(document))
    assert load_family(tmp_path).members[0].spent == {}


@pytest.mark.parametrize(("names", "text"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")])
def test_names_are_listed(names: list[str], text: str) -> None:
    assert named(names) == text

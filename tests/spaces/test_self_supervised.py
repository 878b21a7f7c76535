"""The configurations of papers are points of the space, and train."""

from dataclasses import replace

import numpy as np
import pytest

from spaces import self_supervised, self_supervised_groups
from spaces.candidate import Candidate
from spaces.sampling import uniform
from spaces.space import Space
from tests.trainables.small import TINY_VIT, few_labels, pretrained
from trainables.training.trial import Task, trial

FAMILY = "tiny_vit"


@pytest.fixture(scope="module")
def space() -> Space:
    return self_supervised.space()


@pytest.mark.parametrize("name", self_supervised.CONFIGURATIONS)
def test_a_papers_configuration_is_a_point_of_the_space(name: str, space: Space) -> None:
    for address, value in self_supervised.CONFIGURATIONS[name].items():
        assert value in space.dimension(f"pretraining.{FAMILY}.{address}").values


@pytest.mark.slow
@pytest.mark.parametrize("name", self_supervised.CONFIGURATIONS)
def test_a_papers_configuration_trains(name: str) -> None:
    base = pretrained("simmim")
    candidate = replace(base, architecture=TINY_VIT, pretraining={**base.pretraining, **_values(name)})
    reports = list(trial(Task(candidate=candidate, epochs=2, seed=0), few_labels()))
    assert np.isfinite(reports[0].loss)


def _values(name: str) -> dict[str, object]:
    return dict(self_supervised.CONFIGURATIONS[name])


def test_candidates_have_weights_where_they_have_several_parts(space: Space) -> None:
    candidates = space.decode(uniform(space, 200, np.random.default_rng(0)))
    several = [candidate for candidate in candidates if _weights(candidate)]
    assert several
    assert all("+" in str(candidate.pretraining["objective"]) for candidate in several)


def _weights(candidate: Candidate) -> list[str]:
    return [address for address in candidate.pretraining if address.startswith("weight")]


def test_the_configuration_with_groups_is_a_point_of_the_space_with_groups() -> None:
    wider = self_supervised_groups.space()
    for address, value in self_supervised_groups.CONFIGURATIONS["CION"].items():
        assert value in wider.dimension(f"pretraining.{FAMILY}.{address}").values

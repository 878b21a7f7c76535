import numpy as np
import pytest

from search.experiment.finals import final_jobs
from search.experiment.notes import describe_finals
from search.setting.sections.family import FamilySection
from spaces import tiny
from spaces.sampling import uniform


@pytest.mark.parametrize(
    ("teachers", "seeds", "sentence"),
    [
        (0, 1, "final training of 3 networks, on labels alone"),
        (1, 1, "final training of 3 networks, the largest teaches the others"),
        (2, 2, "final training of 6 networks, the 2 largest teach the others"),
        (["timm:a", "b/c"], 1, "final training of 3 networks, taught by timm:a and b/c"),
    ],
)
def test_final_trainings_are_told_with_their_teachers(teachers: int | list[str], seeds: int, sentence: str) -> None:
    space = tiny.space()
    candidates = space.decode(uniform(space, 3, np.random.default_rng(0)))
    family = FamilySection(teachers=teachers, seeds=seeds)
    assert describe_finals(final_jobs(family, 0, candidates)) == sentence


def test_one_network_alone_is_told_as_one() -> None:
    space = tiny.space()
    jobs = final_jobs(FamilySection(), 0, space.decode(uniform(space, 1, np.random.default_rng(0))))
    assert describe_finals(jobs) == "final training of 1 network, on labels alone"

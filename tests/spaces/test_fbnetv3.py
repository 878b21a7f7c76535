import numpy as np
import pytest

from spaces import fbnetv3
from spaces.candidate import keywords
from spaces.sampling import uniform
from trainables.backbones import mobile
from trainables.counting.statistics import count

# Thousands of macs and of weights as the authors printed them with the weights of each model.
PRINTED = {
    "A": (356_598, 8_542),
    "B": (461_550, 8_542),
    "C": (556_970, 9_907),
    "D": (644_420, 10_238),
    "E": (762_046, 10_699),
    "F": (1_181_645, 13_803),
    "G": (2_129_656, 16_514),
}
# Our own convention: convolutions and linear layers; all trainable parameters.
OWN = {
    "A": (355_514_328, 8_598_464),
    "B": (460_150_000, 8_598_464),
    "C": (555_578_368, 9_973_800),
    "D": (642_628_864, 10_306_272),
    "E": (759_952_160, 10_772_872),
    "F": (1_178_860_656, 13_896_136),
    "G": (2_125_187_200, 16_623_888),
}


@pytest.mark.parametrize("letter", PRINTED)
def test_released_models_count_what_the_authors_printed(letter: str) -> None:
    candidate = fbnetv3.released()[letter]
    macs, weights = mobile.authors_counts(classes=1000, channels=3, **keywords(candidate.architecture))
    assert (round(int(macs) / 1000), round(int(weights) / 1000)) == PRINTED[letter]


def test_released_models_are_members_and_count_in_our_convention() -> None:
    space = fbnetv3.space()
    released = fbnetv3.released()
    counts = count(space, space.encode(list(released.values())), classes=1000, channels=3)
    found = {letter: (counts[row].macs, counts[row].params) for row, letter in enumerate(released)}
    assert found == OWN


def test_the_published_ranges_leave_about_the_published_number_of_recipes() -> None:
    published = fbnetv3.space().restrict(fbnetv3.PUBLISHED)
    assert 1e7 < published.count("recipe") < 3e7
    counts = count(published, uniform(published, 5_000, np.random.default_rng(0)), classes=1000, channels=3)
    inside = (counts.macs_N > 400e6) & (counts.macs_N < 800e6)
    assert 0.5 < inside.mean() < 0.75  # the range in which the paper's joint search draws its pool

import numpy as np
import pytest
import torch
from timm.layers import SelectAdaptivePool2d
from timm.models._efficientnet_blocks import SqueezeExcite
from torch import nn

from spaces import fbnetv3
from spaces.candidate import keywords
from spaces.sampling import uniform
from tests.nights import by_night
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


@pytest.mark.parametrize("letter", by_night(PRINTED, "BCDEF"))
def test_released_models_count_what_the_authors_printed(letter: str) -> None:
    architecture = keywords(fbnetv3.released()[letter].architecture)
    macs = int(mobile.cost(classes=1000, channels=3, **architecture).macs_N[0])
    with torch.device("meta"):
        network = mobile.build(classes=1000, channels=3, **architecture)
    weights = sum(value.numel() for value in network.parameters() if value.ndim > 1)
    side = architecture["resolution"]
    macs += pooled(network, torch.empty(1, 3, side, side, device="meta"))
    assert (round(macs / 1000), round(weights / 1000)) == PRINTED[letter]


def pooled(network: nn.Module, image: torch.Tensor) -> int:
    """Input elements of global poolings, which the authors add to the macs; they pool the head's 1x1 map once more."""
    inputs: list[int] = []
    for module in network.modules():
        if isinstance(module, SqueezeExcite | SelectAdaptivePool2d):
            module.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0].numel()))
    network.eval()(image)
    return sum(inputs) + network.get_classifier().in_features  # type: ignore[operator]


def test_released_models_are_members_and_count_in_our_convention() -> None:
    space = fbnetv3.space()
    released = fbnetv3.released()
    counts = count(space, space.encode(list(released.values())), classes=1000, channels=3)
    own = {letter: (counts[row].macs, counts[row].params) for row, letter in enumerate(released)}
    assert own == OWN


def test_the_published_ranges_leave_about_the_published_number_of_recipes() -> None:
    published = fbnetv3.space().restrict(fbnetv3.PUBLISHED)
    assert 1e7 < published.count("recipe") < 3e7
    counts = count(published, uniform(published, 5_000, np.random.default_rng(0)), classes=1000, channels=3)
    inside = (counts.macs_N > 400e6) & (counts.macs_N < 800e6)
    assert 0.5 < inside.mean() < 0.75  # the range in which the paper's joint search draws its pool

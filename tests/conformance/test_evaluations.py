"""What every evaluation of networks keeps, whatever it measures."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from spaces import components
from tests.trainables.small import network
from trainables.assess import Assessment
from trainables.data import digits
from trainables.splits import Splits

NAMES = components.names(components.EVALUATIONS)
FEWER = {"continual": {"orders": 2}, "gradcam": {"canvases": 12}, "inputs": {"filters": 8}}
"""Keywords that make an evaluation quick."""


@pytest.fixture(scope="module")
def splits() -> Splits:
    whole = digits.load()
    return replace(whole, train=whole.train.take(np.arange(100)), test=whole.test.take(np.arange(60)))


def assessed(name: str, splits: Splits, seed: int = 0) -> Assessment:
    module = components.load(components.EVALUATIONS, name)
    judged: Assessment = module.assess(network("simclr").eval(), splits, seed=seed, **FEWER.get(name, {}))
    return judged


@pytest.mark.parametrize("name", NAMES)
def test_an_evaluation_states_all_of_its_contract(name: str, splits: Splits) -> None:
    module = components.load(components.EVALUATIONS, name)
    assert module.PAPER
    assert module.READS in ("validation", "test")
    judged = assessed(name, splits)
    assert {one.metric for one in judged.measures} <= set(module.BETTER)
    assert len({(one.metric, one.part) for one in judged.measures}) == len(judged.measures) > 0
    for one in judged.measures:
        assert one.part if math.isnan(one.value) else one.count > 0
        assert one.low is None or one.high is None or one.low <= one.value <= one.high
    for image_HWC in judged.pictures.values():
        assert image_HWC.dtype == np.uint8
        assert image_HWC.shape[2] == 3


@pytest.mark.parametrize("name", NAMES)
def test_an_evaluation_leaves_network_and_random_numbers_as_they_were(name: str, splits: Splits) -> None:
    module, judge = components.load(components.EVALUATIONS, name), network("simclr").eval()
    before, state = {key: value.clone() for key, value in judge.state_dict().items()}, torch.get_rng_state()
    first = module.assess(judge, splits, seed=3, **FEWER.get(name, {}))
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(part.training for part in judge.modules())
    assert all(torch.equal(value, before[key]) for key, value in judge.state_dict().items())
    assert module.assess(judge, splits, seed=3, **FEWER.get(name, {})).measures == first.measures

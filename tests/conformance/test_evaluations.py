"""What every evaluation of networks keeps, whatever it measures."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from spaces import components
from tests.conformance.contracts import lacking
from tests.trainables.small import network
from trainables.assess import Assessment, Evaluation
from trainables.batches.fields import VOCABULARY
from trainables.data import digits
from trainables.splits import Images, Splits

NAMES = components.names(components.EVALUATIONS)
FEWER = {
    "continual": {"orders": 2},
    "corruption": {"kinds": ("shot noise", "blur"), "severities": (2,)},
    "dense_probe": {"known": 40, "places": 200},
    "detection": {"known": 40, "most": 60, "qualities": (50,), "shares": ()},
    "few_shot": {"shots": (2,), "draws": 2},
    "gradcam": {"canvases": 12},
    "inputs": {"filters": 8},
}
"""Keywords that make an evaluation quick."""


@pytest.fixture(scope="module")
def splits() -> Splits:
    whole = digits.load()
    train, test = whole.train.take(np.arange(100)), whole.test.take(np.arange(60))
    return replace(whole, train=with_fields(train), validation=with_fields(whole.validation), test=with_fields(test))


def with_fields(images: Images) -> Images:
    """Images with a value of every field that evaluations read."""
    label_N = images.label_N
    fields = {
        "labels": np.eye(10, dtype=bool)[label_N] | np.eye(10, dtype=bool)[(label_N * 3) % 10],
        "slice": label_N % 3,
        "level": label_N // 2,
        "segments": np.where(images.image_NCHW[:][:, 0] > 128, label_N[:, None, None], 10),
        "attribute": images.image_NCHW[:].mean(axis=(1, 2, 3), dtype=np.float32)[:, None] / np.float32(255),
        "caption": np.full((len(images), 1, 8), 65, dtype=np.uint16),
    }
    return replace(images, fields=fields)


def assessed(name: str, splits: Splits, seed: int = 0) -> Assessment:
    module = components.load(components.EVALUATIONS, name)
    judged: Assessment = module.assess(network("simclr").eval(), splits, seed=seed, **FEWER.get(name, {}))
    return judged


@pytest.mark.parametrize("name", NAMES)
def test_an_evaluation_states_all_of_its_contract(name: str, splits: Splits) -> None:
    module = components.load(components.EVALUATIONS, name)
    assert module.PAPER
    assert not lacking(module, Evaluation)
    assert set(module.NEEDS) <= set(VOCABULARY)
    assert set(module.IN_SEARCH) <= set(components.parameters(components.EVALUATIONS, name).defaults)
    judged = assessed(name, splits)
    assert {one.metric for one in judged.measures} <= set(module.BETTER)
    assert len({(one.metric, one.part) for one in judged.measures}) == len(judged.measures) > 0
    for one in judged.measures:
        assert one.part if math.isnan(one.value) else one.count > 0
        assert one.low is None or one.high is None or one.low <= one.value <= one.high
    whole = {one.metric: one for one in judged.measures if not one.part}
    for metric in module.SCORES:
        assert module.BETTER[metric] != "none"
        assert metric not in whole or 0 <= whole[metric].value <= 1
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


@pytest.mark.parametrize(
    "name", [name for name in NAMES if components.constant(components.EVALUATIONS, name, "SCORES")]
)
def test_the_order_of_the_images_changes_no_score(name: str, splits: Splits) -> None:
    order = np.random.default_rng(0).permutation(len(splits.test))
    shuffled = replace(splits, test=splits.test.take(order))
    metrics = components.constant(components.EVALUATIONS, name, "SCORES")
    first, second = (
        {one.metric: one.value for one in assessed(name, data).measures if not one.part and one.metric in metrics}
        for data in (splits, shuffled)
    )
    assert first == pytest.approx(second, rel=1e-5)  # as single precision adds up in another order

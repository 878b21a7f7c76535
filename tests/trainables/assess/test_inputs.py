from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.trainables.small import network
from trainables.assess import inputs, pooled
from trainables.data import digits
from trainables.splits import Splits


@pytest.fixture(scope="module")
def splits() -> Splits:
    whole = digits.load()
    return replace(whole, train=whole.train.take(np.arange(120)), test=whole.test.take(np.arange(80)))


def test_neighbours_vote_as_by_hand(splits: Splits) -> None:
    judge = network("simclr").eval()
    known_NF, query_MF = (pooled(judge, images).double() for images in (splits.train, splits.test))
    nearest_M5 = torch.cdist(query_MF, known_NF).topk(5, largest=False).indices
    votes_MK = torch.nn.functional.one_hot(torch.from_numpy(splits.train.label_N)[nearest_M5], 10).sum(1)
    predicted_M = inputs.nearest(known_NF, splits.train.label_N, query_MF, 5)
    assert predicted_M.tolist() == votes_MK.argmax(1).tolist()


def test_the_cell_of_the_deployed_network_is_what_it_does(splits: Splits) -> None:
    judge = network("simclr").eval()
    own = inputs.seen_at(judge, judge.resolution, True)
    torch.testing.assert_close(pooled(own, splits.test), pooled(judge, splits.test))
    assert not torch.allclose(pooled(inputs.seen_at(judge, 8, False), splits.test), pooled(judge, splits.test))
    measures = inputs.assess(judge, splits, filters=8).measures
    assert [one.part for one in measures] == [
        "8 px as stored and trained, normalised", "8 px as stored and trained, not normalised",
        "16 px, normalised", "16 px, not normalised",
        "no network, image statistics", "no network, random convolutions",
    ]  # fmt: skip


def test_levels_of_a_channel_are_its_statistics(splits: Splits) -> None:
    image_NCHW = splits.test.image_NCHW[:] / 255
    expected_N4 = np.concatenate([f(image_NCHW, axis=(2, 3)) for f in (np.mean, np.std, np.min, np.max)], axis=1)
    np.testing.assert_allclose(inputs.statistics(splits.test, 0, 0).numpy(), expected_N4, atol=1e-6)


def test_a_network_of_one_size_says_so(splits: Splits) -> None:
    judge = network("simclr").eval()
    forward = judge.network.forward_features

    def of_one_size(image: torch.Tensor) -> torch.Tensor:
        if image.shape[-1] != 8:
            raise ValueError("images of 8 pixels are needed")
        features: torch.Tensor = forward(image)
        return features

    judge.network.forward_features = of_one_size  # type: ignore[method-assign]
    parts = {one.part: one.value for one in inputs.assess(judge, splits, filters=8).measures}
    assert np.isnan(parts["16 px, normalised: images of 8 pixels are needed"])

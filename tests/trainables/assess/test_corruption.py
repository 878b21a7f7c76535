"""Corrupted images."""

import numpy as np
import pytest
import torch

from tests.trainables.small import network
from trainables.assess._corruptions import KINDS, corrupted
from trainables.assess.corruption import assess
from trainables.data import digits

IMAGES = torch.from_numpy(digits.load().test.image_NCHW[:6]).float() / 255


@pytest.mark.parametrize("kind", KINDS)
def test_a_corruption_depends_on_an_image_and_not_on_its_place(kind: str) -> None:
    together = corrupted(IMAGES, kind, 3, seed=1)
    alone = torch.cat([corrupted(image[None], kind, 3, seed=1) for image in IMAGES.flip(0)]).flip(0)
    assert torch.equal(together, alone)
    assert torch.equal((together * 255).round() / 255, together)


@pytest.mark.parametrize("kind", KINDS)
def test_more_severe_is_farther_from_the_image(kind: str) -> None:
    away = [float((corrupted(IMAGES, kind, severity, seed=0) - IMAGES).abs().mean()) for severity in (1, 3, 5)]
    assert 0 < away[0] < away[1] < away[2]


def test_three_channels_are_corrupted_too() -> None:
    coloured = torch.rand(2, 3, 40, 32, generator=torch.Generator().manual_seed(0)).mul(255).round() / 255
    for kind in KINDS:
        assert corrupted(coloured, kind, 5, seed=0).shape == coloured.shape


def test_noise_follows_the_seed() -> None:
    assert not torch.equal(corrupted(IMAGES, "gaussian noise", 1, 0), corrupted(IMAGES, "gaussian noise", 1, 1))


def test_the_mean_over_kinds_and_severities_is_that_of_the_parts() -> None:
    judged = assess(network("simclr").eval(), digits.load(), kinds=("blur", "contrast"), severities=(1, 5), most=40)
    value = {(one.metric, one.part): one.value for one in judged.measures}
    cells = [value["accuracy", f"{kind}, severity {one}"] for kind in ("blur", "contrast") for one in (1, 5)]
    assert value["accuracy", ""] == pytest.approx(np.mean(cells))
    assert value["loss", ""] == pytest.approx(value["clean", ""] - value["accuracy", ""])


def test_a_kind_that_there_is_not_is_named() -> None:
    with pytest.raises(ValueError, match="no corruption 'fog'"):
        assess(network("simclr"), digits.load(), kinds=("fog",))

"""Singular values of features."""

import math

import pytest
import torch

from trainables.assess.spectrum import shares


def test_even_directions_have_the_entropy_of_their_number() -> None:
    rotation = torch.linalg.qr(torch.randn(8, 8, dtype=torch.float64)).Q
    share = shares(3 * torch.cat([rotation, rotation]))
    torch.testing.assert_close(share, torch.full((8,), 1 / 8, dtype=torch.float64))
    assert float(torch.special.entr(share).sum()) == pytest.approx(math.log(8))


def test_features_of_one_direction_have_no_entropy() -> None:
    share = shares(torch.arange(1.0, 6.0)[:, None] @ torch.rand(1, 4))
    assert float(share.max()) == pytest.approx(1.0, abs=1e-5)
    assert float(torch.special.entr(share.clamp(min=0)).sum()) == pytest.approx(0.0, abs=1e-4)

"""Augmentation of the recipe: what moves, how far, and when."""

from dataclasses import replace

import pytest
import torch

from tests.trainables.plans import batch, plan, transformed
from trainables.recipe import (
    augment,
)


def test_augmentation_is_decided_by_its_generator() -> None:
    augmented = augment.apply(plan(), shift=0.2, rotate_degrees=20.0, flip=0.5, erase=0.5)
    assert torch.equal(transformed(augmented, 3).image_BCHW, transformed(augmented, 3).image_BCHW)
    assert not torch.equal(transformed(augmented, 3).image_BCHW, transformed(augmented, 4).image_BCHW)
    assert torch.equal(transformed(augmented).target_BK, batch().target_BK)


def test_a_certain_flip_mirrors() -> None:
    flipped = transformed(augment.apply(plan(), flip=1.0)).image_BCHW
    assert torch.allclose(flipped, batch().image_BCHW.flip(-1), atol=1e-5)


def test_a_certain_erasure_changes_a_sixteenth() -> None:
    changed = transformed(augment.apply(plan(), erase=1.0)).image_BCHW != batch().image_BCHW
    assert changed.float().mean() == pytest.approx(1 / 16)


def test_a_crop_is_a_window_of_the_image() -> None:
    ramp = (torch.arange(8.0) + 1).expand(64, 1, 8, 8)
    both = replace(batch(), image_BCHW=torch.stack([ramp, ramp.mT], dim=1)[:, :, 0])
    augmented = augment.apply(plan(), crop=0.5)
    cut = augmented.transforms[0](both, torch.Generator().manual_seed(0)).image_BCHW
    across, down = cut[:, 0].diff(dim=2), cut[:, 1].diff(dim=1)
    # One slope an image and direction: bilinear, nothing of the border; sides are shares of the image's.
    assert torch.allclose(across, across[:, :1, :1].expand_as(across), atol=1e-4)
    assert torch.allclose(down, down[:, :1, :1].expand_as(down), atol=1e-4)
    area = across[:, 0, 0] * down[:, 0, 0]
    assert area.min() >= 0.5 * 3 / 4 - 1e-4
    assert area.max() <= 1 + 1e-4
    assert 0.65 < area.mean() < 0.85
    assert cut.min() >= 1 - 1e-4
    assert cut.max() <= 8 + 1e-4
    mirrored = augment.apply(plan(), flip=0.5, crop=0.5).transforms[0](both, torch.Generator().manual_seed(0))
    draws = torch.Generator().manual_seed(0)
    fourth = [torch.rand(64, generator=draws) for _ in range(4)][3]
    assert torch.equal(mirrored.image_BCHW[:, 0, 0].diff(dim=1)[:, 3] < 0, fourth < 0.5)


def test_augmentation_grows_by_fifths() -> None:
    augmented = replace(plan(), epochs=5)
    grown, full = augment.apply(augmented, erase=1.0, first=0.0), augment.apply(augmented, erase=1.0)
    assert full.before_epoch == ()
    shares = []
    for epoch in range(1, 6):
        grown.before_epoch[0](epoch)
        many = replace(batch(), image_BCHW=torch.rand(400, 1, 8, 8, generator=torch.Generator().manual_seed(1)))
        image = grown.transforms[0](many, torch.Generator().manual_seed(0)).image_BCHW
        shares.append((image != many.image_BCHW).flatten(1).any(1).float().mean().item())
    assert shares == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0], abs=0.06)
    with pytest.raises(ValueError, match=r"given 1.0 and 1.0"):
        augment.apply(augmented, crop=1.0)

"""Views: each change against torchvision's, one image at a time, and what is off leaves no trace."""

import pytest
import torch
import torchvision.transforms.v2.functional as TF

from trainables.batches.places import centres
from trainables.objectives._colour import COLOURS, blurred, saturated, solarised, turned
from trainables.objectives._views import Views, placed_view

COUNT = 6


def images(channels: int = 3, side: int = 12) -> torch.Tensor:
    return torch.rand(COUNT, channels, side, side, generator=generator(7))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def one_by_one(function, image_B3HW, amounts):  # type: ignore[no-untyped-def]
    return torch.stack([function(image, amount) for image, amount in zip(image_B3HW, amounts, strict=True)])


def test_hues_turn_as_torchvisions() -> None:
    turns = [-0.5, -0.2, 0.0, 0.1, 0.3, 0.5]
    expected = one_by_one(TF.adjust_hue, images(), turns)
    torch.testing.assert_close(turned(images(), torch.tensor(turns)), expected, atol=1e-5, rtol=0)
    grey = images(1).expand(-1, 3, -1, -1)
    torch.testing.assert_close(turned(grey, torch.tensor(turns)), grey)


def test_saturation_is_torchvisions() -> None:
    factors = [0.0, 0.2, 0.7, 1.0, 1.5, 1.8]
    expected = one_by_one(TF.adjust_saturation, images(), factors)
    torch.testing.assert_close(saturated(images(), torch.tensor(factors)), expected, atol=2e-4, rtol=0)


def test_a_blur_is_torchvisions_with_the_same_reach() -> None:
    deviations = [0.3, 0.5, 0.8, 1.0, 1.2, 1.4]
    expected = one_by_one(lambda image, s: TF.gaussian_blur(image, [7, 7], [s, s]), images(), deviations)
    torch.testing.assert_close(blurred(images(), torch.tensor(deviations)), expected, atol=1e-6, rtol=0)


def test_solarising_is_torchvisions() -> None:
    torch.testing.assert_close(solarised(images()), TF.solarize(images(), 0.5))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_views_without_colour_are_those_of_crop_jitter_and_flip(channels: int) -> None:
    """Also the random numbers that follow are the same; and images that are grey have no colour to change."""
    draw, other, colourless = generator(), generator(), generator()
    expected, _ = placed_view(images(channels), draw, crop=0.3, jitter=0.4, flip=0.5)
    assert torch.equal(Views(crop=0.3, jitter=0.4, flip=0.5).of(images(channels), other, number=1), expected)
    after = torch.rand(3, generator=draw)
    assert torch.equal(torch.rand(3, generator=other), after)
    seen = Views(crop=0.3, jitter=0.4, flip=0.5, colour="byol").of(images(channels), colourless, number=1)
    assert torch.equal(seen, expected) == (channels != 3)


@pytest.mark.parametrize("colour", [name for name in COLOURS if name != "none"])
def test_colours_change_images_of_three_channels_within_their_range(colour: str) -> None:
    views = Views(crop=1.0, jitter=0.0, flip=0.0, colour=colour)
    seen = views.of(images(), generator(), number=0)
    assert seen.shape == images().shape
    assert (seen - images()).abs().amax(dim=(1, 2, 3)).min() > 0
    assert 0 <= seen.min() <= seen.max() <= 1
    assert torch.equal(seen, views.of(images(), generator(), number=0))


def test_only_the_second_view_of_byol_is_solarised() -> None:
    """A bright image without colour changes by nothing else."""
    bright = torch.full((400, 3, 4, 4), 0.9)
    views = Views(crop=1.0, jitter=0.0, flip=0.0, colour="byol")
    share = [
        float((views.of(bright, generator(), number=number)[:, 0, 0, 0] < 0.5).float().mean()) for number in (0, 1)
    ]
    assert share[0] == 0
    assert share[1] == pytest.approx(0.2, abs=0.05)


def test_small_views_show_a_small_area() -> None:
    """Of a ramp, whose values say where the crop begins and ends."""
    ramp = torch.linspace(0, 1, 64).expand(300, 1, 64, 64).contiguous()
    views = Views(crop=0.6, jitter=0.0, flip=0.0)
    small = views.small(ramp, generator(), number=2, side=16, least=0.05, most=0.14)
    assert small.shape == (300, 1, 16, 16)
    area = ((small.amax(dim=(1, 2, 3)) - small.amin(dim=(1, 2, 3))) * 16 / 15) ** 2
    assert 0.045 < area.min() < 0.07
    assert 0.12 < area.max() < 0.15


def test_colours_nobody_defined_are_refused() -> None:
    with pytest.raises(ValueError, match="none, simclr, swav, byol, dino, given 'moco'"):
        Views(crop=0.3, jitter=0.4, flip=0.0, colour="moco")


def test_a_view_is_its_image_read_where_it_was_cut() -> None:
    """A linear image has the value of each place, so what a view shows says where it is."""
    row_HW, column_HW = torch.meshgrid(torch.linspace(0, 1, 16), torch.linspace(0, 1, 16), indexing="ij")
    linear = torch.stack([row_HW, column_HW]).repeat(COUNT, 1, 1, 1)
    views = Views(crop=0.5, jitter=0.0, flip=0.5)
    seen, placed_B23 = views.placed(linear, generator(3), number=0)
    place_BN2 = centres(placed_B23, 16)
    down_BN, across_BN = seen.flatten(2).unbind(1)
    # A pixel's centre is at (2 i + 1) / 16 - 1, its value i / 15; beyond the outer centres the border goes on.
    expected_BN2 = ((place_BN2 + 1 - 1 / 16) * 8 / 15).clamp(0, 1)
    torch.testing.assert_close(torch.stack([across_BN, down_BN], dim=2), expected_BN2, atol=1e-5, rtol=0)
    assert (placed_B23[:, 0, 0] < 0).any()
    assert torch.equal(seen, views.of(linear, generator(3), number=0))


def test_views_are_drawn_as_before_they_said_where_they_were_cut() -> None:
    """Figures of an earlier version."""
    image_BCHW = torch.arange(48.0).reshape(3, 1, 4, 4) / 48
    seen = Views(crop=0.3, jitter=0.4, flip=0.5).of(image_BCHW, generator(5), number=0)
    torch.testing.assert_close(seen.sum(dim=(1, 2, 3)), torch.tensor([1.726654, 9.207848, 15.42185]))

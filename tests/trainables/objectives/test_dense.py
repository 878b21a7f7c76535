"""PixPro and latent regression: which places are the same, and what their losses are at known ones."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F

from tests.trainables.small import batch, loss_of, network
from trainables.batches.places import centres
from trainables.deploy import Deployable
from trainables.objectives import latent, pixpro
from trainables.objectives._dense import mean_at, near_pairs, seen_by

SIDE = 4


def placed(width: float = 0.5, height: float = 0.5, across: float = 0.0, down: float = 0.0) -> torch.Tensor:
    """A crop, negative widths are mirrored; in coordinates from -1 to 1."""
    return torch.tensor([[[width, 0.0, across], [0.0, height, down]]])


def directions(seed: int = 0) -> torch.Tensor:
    """Of each of the places, (1, E, places)."""
    return F.normalize(torch.randn(1, 8, SIDE**2, generator=torch.Generator().manual_seed(seed)), dim=1)


def both_ways(one: torch.Tensor, other: torch.Tensor, near: torch.Tensor) -> tuple[float, float]:
    return float(-2 * mean_at(one, other, near)), float(-2 * mean_at(other, one, near.transpose(1, 2)))


def test_a_crop_twice_pairs_every_place_with_itself_alone() -> None:
    near = near_pairs(placed(), placed(), SIDE, 0.7)
    assert torch.equal(near[0], torch.eye(SIDE**2, dtype=torch.bool))
    assert both_ways(directions(), directions(), near) == pytest.approx((-2, -2))


def test_a_mirrored_crop_pairs_every_place_with_its_mirror_image() -> None:
    near = near_pairs(placed(), placed(width=-0.5), SIDE, 0.7)
    mirrored = directions().reshape(1, 8, SIDE, SIDE).flip(3).flatten(2)
    assert near.sum() == SIDE**2
    assert both_ways(directions(), mirrored, near) == pytest.approx((-2, -2))


def test_crops_apart_share_nothing() -> None:
    near = near_pairs(placed(width=0.2, across=-0.7), placed(width=0.2, across=0.7), SIDE, 0.7)
    assert not near.any()
    assert both_ways(directions(), directions(), near) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (placed(width=0.8, height=0.4), placed(width=0.8, height=0.4)),  # twice as wide as high: neighbours count, too
        (placed(0.6, 0.6, -0.1, 0.2), placed(0.4, 0.4, 0.1, 0.0)),
        (placed(0.6, 0.6, -0.1, 0.2), placed(-0.5, 0.7, 0.2, 0.1)),
    ],
)
def test_pairs_and_their_mean_are_those_of_plain_loops(one: torch.Tensor, other: torch.Tensor) -> None:
    near = near_pairs(one, other, SIDE, 0.7)[0]
    diagonal = max(
        ((2 / SIDE) ** 2 * (float(cut[0, 0, 0]) ** 2 + float(cut[0, 1, 1]) ** 2)) ** 0.5 for cut in (one, other)
    )
    values, expected = [], torch.zeros_like(near)
    for first, second in product(range(SIDE**2), repeat=2):
        gap = (centres(one, SIDE)[0, first] - centres(other, SIDE)[0, second]).norm()
        if gap < 0.7 * diagonal:
            expected[first, second] = True
            values.append(float(directions(1)[0, :, first] @ directions(2)[0, :, second]))
    assert torch.equal(near, expected)
    assert SIDE**2 != near.sum() > 0
    assert float(mean_at(directions(1), directions(2), near[None])) == pytest.approx(sum(values) / len(values))


def test_what_preprocessing_crops_is_not_seen() -> None:
    body = network("pixpro").network
    cropping = Deployable(body, mean=[0.3], std=[0.4], resolution=8, crop=0.5)
    torch.testing.assert_close(seen_by(cropping, placed(1.0, 1.0), 8), placed(0.5, 0.5))
    odd = seen_by(cropping, placed(1.0, 1.0), 9)  # 4 of 9 pixels, from the third on
    torch.testing.assert_close(odd, placed(4 / 9, 4 / 9, -1 / 9, -1 / 9))
    plain = Deployable(body, mean=[0.3], std=[0.4], resolution=8)
    torch.testing.assert_close(seen_by(plain, placed(0.5, 0.5, 0.2), 8), placed(0.5, 0.5, 0.2))


def test_a_place_is_smoothed_by_what_resembles_it() -> None:
    """Orthogonal directions keep their own values; equal ones share them; opposite ones do not count."""
    value = torch.rand(1, 3, 2)
    apart, alike, opposite = (torch.tensor([[[1.0, x], [0.0, y]]]) for x, y in ((0.0, 1.0), (1.0, 0.0), (-1.0, 0.0)))
    torch.testing.assert_close(pixpro.smoothed(apart, value, 2.0), value)
    torch.testing.assert_close(pixpro.smoothed(opposite, value, 2.0), value)
    torch.testing.assert_close(pixpro.smoothed(alike, value, 2.0), value.sum(dim=2, keepdim=True).expand_as(value))
    half = torch.tensor([[[1.0, 0.5], [0.0, 0.75**0.5]]])
    torch.testing.assert_close(pixpro.smoothed(half, value, 2.0)[0, :, 0], value[0, :, 0] + 0.25 * value[0, :, 1])


def test_pooled_views_take_part_by_their_weight() -> None:
    """As BYOL's: between -4 and 4 times the weight is added, and heads of weight 0 do not exist."""
    alone, with_pooled = pixpro.objective(network("pixpro")), pixpro.objective(network("pixpro"), instance=1.0)
    assert not hasattr(alone, "pooled")
    with_pooled.load_state_dict(alone.state_dict(), strict=False)
    for objective in (alone, with_pooled):
        objective.eval()
    assert abs(float((loss_of(with_pooled, batch()) - loss_of(alone, batch())).detach())) <= 4
    loss_of(with_pooled, batch()).backward()
    assert all(parameter.grad is not None for parameter in with_pooled.pooled.parameters())


def test_latent_distances_are_those_of_places_and_no_more() -> None:
    """The prediction is the target: 0; unrelated directions: about 2."""
    objective = latent.objective(network("latent"), masked=0.0, other=False, crop=1.0, jitter=0.0).eval()
    objective.prediction = torch.nn.Identity()
    assert float(loss_of(objective, batch()).detach()) == pytest.approx(0.0, abs=1e-5)
    hidden = latent.objective(network("latent"), masked=0.75, other=False, crop=1.0, jitter=0.0).eval()
    hidden.prediction = torch.nn.Identity()
    assert float(loss_of(hidden, batch()).detach()) > 0.01
    assert 0 < float(loss_of(latent.objective(network("latent")), batch()).detach()) < 4

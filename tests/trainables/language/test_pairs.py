"""The loss that tells images and texts apart, against its formulas."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.language.pairs import Pairs, contrast, found_first, paired

COUNT, WIDTH = 6, 4


def directions(seed: int) -> Tensor:
    return F.normalize(torch.randn(COUNT, WIDTH, generator=torch.Generator().manual_seed(seed)), dim=1)


def pairs(there: list[int] | None = None, **changed: Any) -> Pairs:
    there_B = torch.ones(COUNT, dtype=torch.bool) if there is None else torch.tensor(there, dtype=torch.bool)
    return paired(directions(0), directions(1), there_B, torch.tensor(7.0), **changed)


def by_hand(image_BE: Tensor, text_BE: Tensor, smoothing: float = 0.0, direction: float = 0.5) -> Tensor:
    """As CLIP's paper has it in figure 3."""
    score_BB, own_B = 7.0 * image_BE @ text_BE.T, torch.arange(len(image_BE))
    texts, images = (F.cross_entropy(score, own_B, label_smoothing=smoothing) for score in (score_BB, score_BB.T))
    return direction * texts + (1 - direction) * images


def test_it_is_the_mean_of_two_cross_entropies() -> None:
    torch.testing.assert_close(contrast(pairs()), by_hand(directions(0), directions(1)), rtol=1e-6, atol=0)


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_smoothing_is_that_of_cross_entropy(smoothing: float) -> None:
    expected = by_hand(directions(0), directions(1), smoothing)
    torch.testing.assert_close(contrast(pairs(), smoothing=smoothing), expected, rtol=1e-6, atol=0)


def test_a_direction_may_have_all_the_weight() -> None:
    expected = by_hand(directions(0), directions(1), direction=0.75)
    torch.testing.assert_close(contrast(pairs(), direction=0.75), expected, rtol=1e-6, atol=0)
    for direction in (0.0, 1.0):
        expected = by_hand(directions(0), directions(1), direction=direction)
        torch.testing.assert_close(contrast(pairs(), direction=direction), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_an_image_without_a_text_takes_no_part(smoothing: float) -> None:
    there = [1, 0, 1, 1, 0, 1]
    rows = torch.tensor(there, dtype=torch.bool)
    expected = by_hand(directions(0)[rows], directions(1)[rows], smoothing)
    torch.testing.assert_close(contrast(pairs(there), smoothing=smoothing), expected, rtol=1e-6, atol=0)


def test_a_batch_without_texts_has_no_loss_and_a_gradient_of_zero() -> None:
    image_BE = directions(0).requires_grad_()
    whole = paired(image_BE, directions(1), torch.zeros(COUNT, dtype=torch.bool), torch.tensor(7.0))
    loss = contrast(whole, smoothing=0.1)
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == 0
    assert image_BE.grad is not None
    assert image_BE.grad.abs().sum() == 0


def test_kinds_share_the_target_evenly() -> None:
    kind_B = torch.tensor([5, 5, -1, 3, -1, 3])
    log_BB = (7.0 * directions(0) @ directions(1).T).log_softmax(dim=1)
    right = [[0, 1], [0, 1], [2], [3, 5], [4], [3, 5]]
    expected = -torch.stack([log_BB[row, own].mean() for row, own in enumerate(right)]).mean()
    torch.testing.assert_close(contrast(pairs(kind_B=kind_B), direction=1.0), expected, rtol=1e-6, atol=0)
    unique = pairs(kind_B=torch.tensor([9, 2, 4, 0, 1, 7]))
    assert torch.equal(contrast(unique), contrast(pairs()))


def test_parts_of_a_batch_are_told_apart_alone() -> None:
    halves = [by_hand(directions(0)[half], directions(1)[half]) for half in (slice(0, 3), slice(3, 6))]
    torch.testing.assert_close(contrast(pairs(parts=2)), torch.stack(halves).mean(), rtol=1e-6, atol=0)
    assert torch.equal(contrast(pairs(parts=1)), contrast(pairs()))


def test_what_is_found_first_is_counted() -> None:
    same = replace(pairs(), text_NE=directions(0))
    assert float(found_first(same)) == 1
    swapped = replace(same, text_NE=directions(0)[torch.tensor([1, 0, 2, 3, 4, 5])])
    assert float(found_first(swapped)) == pytest.approx(4 / 6)


def matched_by_hand(kind_B: Tensor, there_B: Tensor) -> Tensor:
    """PLIP's divergence, targets of which each sums to 1."""
    image_BE, text_BE = directions(0)[there_B], directions(1)[there_B]
    score_BB = 7.0 * image_BE @ text_BE.T
    same_BB = (kind_B[there_B, None] == kind_B[there_B]).float()
    target_BB = same_BB / same_BB.sum(dim=1, keepdim=True)
    losses = []
    for score in (score_BB, score_BB.T):
        share_BB = score.softmax(dim=1)
        losses.append((share_BB * (share_BB / (target_BB + 1e-8)).log()).sum(dim=1).mean())
    return (losses[0] + losses[1]) / 2


@pytest.mark.parametrize("there", [[1] * COUNT, [1, 0, 1, 1, 0, 1]])
def test_matching_is_the_divergence_from_the_target(there: list[int]) -> None:
    kind_B, there_B = torch.tensor([0, 0, 1, 2, 2, 2]), torch.tensor(there, dtype=torch.bool)
    whole = pairs(there, kind_B=kind_B)
    torch.testing.assert_close(contrast(whole, matching=True), matched_by_hand(kind_B, there_B), rtol=1e-5, atol=0)


def test_matching_ends_where_each_image_finds_its_own_text_and_has_finite_gradients() -> None:
    image_BE = torch.eye(COUNT).requires_grad_()
    there_B = torch.tensor([True] * (COUNT - 1) + [False])
    loss = contrast(paired(image_BE, torch.eye(COUNT), there_B, torch.tensor(100.0)), matching=True)
    loss.backward()  # type: ignore[no-untyped-call]
    assert abs(float(loss.detach())) < 1e-6
    assert image_BE.grad is not None
    assert image_BE.grad.isfinite().all()

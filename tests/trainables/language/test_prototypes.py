"""Clusters that images and texts predict of each other."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.language.pairs import Pairs, paired
from trainables.language.prototypes import Prototypes, means

KNOBS: dict[str, Any] = {"clusters": 3, "queue": 24, "episode": 2, "softness": 0.0, "translate": True}


def around(centre: Tensor, seed: int, spread: float = 0.02) -> Tensor:
    """Eight directions around each of three centres, shape (24, 4), the groups one after the other."""
    noise = torch.randn(24, 4, generator=torch.Generator().manual_seed(seed))
    return F.normalize(centre.repeat_interleave(8, 0) + spread * noise, dim=1)


IMAGES, TEXTS = torch.eye(4)[:3], torch.eye(4)[1:]


def pairs(there: Tensor | None = None, scale: float = 60.0) -> Pairs:
    there_B = torch.ones(24, dtype=torch.bool) if there is None else there
    return paired(around(IMAGES, 0), around(TEXTS, 1), there_B, torch.tensor(scale))


def grouped(**changed: Any) -> Prototypes:
    prototypes = Prototypes(4, **{**KNOBS, **changed}).train()
    prototypes(pairs())
    return prototypes.eval()


def test_clusters_that_agree_are_found_without_an_error() -> None:
    assert grouped()(pairs()).item() == pytest.approx(0, abs=1e-3)


def test_a_cluster_stands_among_the_other_side_as_the_mean_of_its_members() -> None:
    prototypes = grouped()
    cluster_N = torch.cdist(around(TEXTS, 1), prototypes.of_texts_PE).argmin(dim=1)
    expected = torch.stack([around(IMAGES, 0)[cluster_N == cluster].mean(dim=0) for cluster in range(3)])
    torch.testing.assert_close(means(around(IMAGES, 0), cluster_N, 3), expected)
    torch.testing.assert_close(prototypes.among_images_PE, F.normalize(expected, dim=1))
    apart = grouped(translate=False)
    torch.testing.assert_close(apart.among_images_PE, F.normalize(apart.of_texts_PE, dim=1))
    assert apart(pairs()).item() > 1  # images lie elsewhere than texts


def test_images_without_a_text_are_in_no_cluster_and_have_no_loss() -> None:
    there = torch.arange(24) % 2 == 0
    prototypes = Prototypes(4, **{**KNOBS, "queue": 12}).train()
    prototypes(pairs(there))
    assert torch.equal(prototypes.image_QE, around(IMAGES, 0)[there])
    half = paired(around(IMAGES, 0)[there], around(TEXTS, 1)[there], there[there], torch.tensor(5.0))
    torch.testing.assert_close(prototypes.eval()(pairs(there, 5.0)), prototypes(half))


def test_soft_targets_are_shared_by_clusters_that_are_alike() -> None:
    prototypes = grouped(softness=0.5)
    share_BP = prototypes.targets(around(TEXTS, 1), prototypes.of_texts_PE)
    direction_PE = F.normalize(prototypes.of_texts_PE, dim=1)
    nearest = int(torch.cdist(around(TEXTS, 1)[:1], prototypes.of_texts_PE).argmin())
    torch.testing.assert_close(share_BP[0], (direction_PE[nearest] @ direction_PE.T / 0.5).softmax(0))


def test_nothing_is_lost_before_there_are_clusters_and_they_are_kept_between_episodes() -> None:
    prototypes = Prototypes(4, **{**KNOBS, "queue": 48}).train()
    assert prototypes(pairs()).item() == 0
    assert prototypes(pairs()).item() < 1e-2
    before = prototypes.of_texts_PE.clone()
    prototypes(pairs())
    assert torch.equal(before, prototypes.of_texts_PE)
    again = Prototypes(4, **{**KNOBS, "queue": 48})
    again.load_state_dict(prototypes.state_dict())
    assert torch.equal(again.eval()(pairs()), prototypes.eval()(pairs()))


def test_a_value_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a queue that holds as many, .* given 3, 2, 2 and 0.0"):
        Prototypes(4, **{**KNOBS, "queue": 2})

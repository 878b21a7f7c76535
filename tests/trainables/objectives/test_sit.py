"""SiT: what is corrupted, and what each of its two terms is alone."""

import pytest
import torch
import torch.nn.functional as F

from tests.trainables.small import batch, loss_of, network
from trainables.objectives import sit
from trainables.objectives._corrupting import Corruption


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("aligned", [True, False])
def test_the_asked_shares_of_the_blocks_are_spoilt(aligned: bool) -> None:
    image_BCHW = torch.rand(6, 1, 8, 8, generator=generator())
    corruption = Corruption(dropped=0.25, replaced=0.5, noisy=False, aligned=aligned, grid=4)
    spoilt_BCHW, where_B1HW = corruption.of(image_BCHW, network("sit"), generator())
    assert where_B1HW.float().mean(dim=(1, 2, 3)).tolist() == [0.75] * 6
    assert torch.equal(spoilt_BCHW[~where_B1HW], image_BCHW[~where_B1HW])
    grey_B1HW = spoilt_BCHW == 0.3  # the network's mean
    assert grey_B1HW.float().mean(dim=(1, 2, 3)).tolist() == pytest.approx([0.25] * 6)
    other = where_B1HW & ~grey_B1HW
    assert torch.equal(spoilt_BCHW[other], image_BCHW.roll(1, dims=0)[other]) == aligned


def test_a_weight_of_0_leaves_the_other_term() -> None:
    both = sit.objective(network("sit"), pixels=0.5, contrast=2.0)
    painted, agreed = sit.objective(network("sit"), contrast=0.0), sit.objective(network("sit"), pixels=0.0)
    assert not hasattr(painted, "follower")
    assert not hasattr(agreed, "painter")
    for part in (painted, agreed):
        part.load_state_dict({name: both.state_dict()[name] for name in part.state_dict()})
    losses = [float(loss_of(objective.eval(), batch()).detach()) for objective in (both, painted, agreed)]
    assert losses[0] == pytest.approx(0.5 * losses[1] + 2.0 * losses[2], rel=1e-5)


def test_only_what_was_spoilt_is_painted() -> None:
    objective = sit.objective(network("sit"), contrast=0.0)
    features = objective.network.features(batch().image_BCHW)
    where = torch.zeros(8, 1, 8, 8, dtype=torch.bool)
    where[:, :, :4] = True
    features.retain_grad()
    objective._painted(features, batch().image_BCHW, where).backward()
    assert features.grad is not None
    assert features.grad[:, :, :2].abs().sum() > 0
    assert features.grad[:, :, 2:].abs().sum() == 0


def test_the_contrast_is_moco_v3s() -> None:
    """Cross-entropy with the other view's clean images, times 2 temperatures, both ways."""
    objective = sit.objective(network("sit"), pixels=0.0, temperature=0.2).eval()
    clean = list(torch.rand(2, 8, 1, 8, 8, generator=generator()))
    features = objective.network.features(torch.cat(clean))
    loss = objective._agreed(features, clean, 0.0)
    own = objective.prediction(objective.projection(objective.network.pooled_from(features))).chunk(2)
    keys = [F.normalize(objective.projection(objective.network.pooled(image))) for image in clean]
    expected = sum(
        2 * 0.2 * F.cross_entropy(F.normalize(own[view]) @ keys[1 - view].T / 0.2, torch.arange(8)) for view in (0, 1)
    )
    torch.testing.assert_close(loss, expected)


def test_more_than_all_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shares of at most 1 together, given .* dropped 0\.8 and replaced 0\.3"):
        sit.objective(network("sit"), dropped=0.8, replaced=0.3)


def test_nothing_to_paint_is_refused() -> None:
    with pytest.raises(ValueError, match=r"spoil none of 16 blocks, so that there is nothing to paint"):
        sit.objective(network("sit"), dropped=0.0, replaced=0.02)
    sit.objective(network("sit"), dropped=0.0, replaced=0.0, pixels=0.0)

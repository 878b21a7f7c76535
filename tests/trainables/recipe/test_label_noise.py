"""Which labels are replaced, and by what."""

import numpy as np
import pytest
import torch

from trainables.plan import Batch, Plan
from trainables.recipe import label_noise


def noisy(share: float, count: int = 2000, seed: int = 0) -> torch.Tensor:
    """Targets of images in a row, whose classes are 0 to 4 in turn."""
    plan = label_noise.apply(Plan(epochs=1, images=count, classes=5), share=share, seed=seed)
    batch = Batch(
        image_BCHW=torch.zeros(count, 1, 1, 1),
        target_BK=torch.eye(5).repeat(count // 5, 1),
        fields={"row": torch.arange(count)},
    )
    for transform in plan.transforms:
        batch = transform(batch, torch.Generator())
    assert batch.fields == {}
    return batch.target_BK


@pytest.mark.parametrize("share", [0.1, 0.3, 1.0])
def test_a_share_of_the_labels_is_another_class(share: float) -> None:
    target = noisy(share)
    wrong = target.argmax(1) != torch.arange(2000) % 5
    assert float(wrong.float().mean()) == pytest.approx(share, abs=0.03)
    assert torch.equal(target.sum(1), torch.ones(2000))
    step = (target.argmax(1) - torch.arange(2000)).remainder(5)[wrong]
    np.testing.assert_allclose(np.bincount(step, minlength=5)[1:] / len(step), 0.25, atol=0.08)


def test_an_image_keeps_its_label_and_the_seed_decides() -> None:
    assert torch.equal(noisy(0.3), noisy(0.3))
    assert torch.equal(noisy(0.3)[:100], noisy(0.3, count=100))
    assert not torch.equal(noisy(0.3), noisy(0.3, seed=1))


def test_more_noise_has_the_wrong_labels_of_less() -> None:
    right = torch.arange(2000) % 5
    few, many = (noisy(share).argmax(1) != right for share in (0.2, 0.4))
    assert many[few].all()


def test_a_share_outside_is_refused() -> None:
    with pytest.raises(ValueError, match=r"label_noise.share is in \[0, 1\], given 1.5"):
        noisy(1.5)

"""Classifiers of standardised features: the same scores without them, and the same training whatever their size."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spaces import components
from tests.trainables.small import few_labels, network
from trainables.adapt._standardised import StandardisedLinear, plain_state, standardise
from trainables.deploy import Deployable, evaluating
from trainables.plan import Plan

SPLITS = few_labels()
IMAGES, LABELS = SPLITS.train.batch(np.arange(len(SPLITS.train)))


def of_body(size: float, shift: float = 0.0) -> Deployable:
    """The same network, whose features are so many times as large, and shifted."""
    body = network("simclr")
    body.network.norm_head = nn.Identity()
    body.network.act2 = _Sized(size, shift)
    return body.eval()


class _Sized(nn.Module):
    def __init__(self, size: float, shift: float) -> None:
        super().__init__()
        self.size, self.shift = size, shift

    def forward(self, feature_NF: Tensor) -> Tensor:
        return self.size * feature_NF.relu() + self.shift


def pooled(body: Deployable) -> Tensor:
    with evaluating(body), torch.no_grad():
        return body.pooled(IMAGES)


def probed(body: Deployable, steps: int = 60) -> list[float]:
    """Losses of a probe of a network."""
    plan = components.load(components.ADAPTATIONS, "linear").adapt(
        Plan(epochs=1, images=len(IMAGES), classes=10, network=body), features=pooled, trained=False
    )
    network = plan.built()
    optimizer = torch.optim.AdamW([one for one in network.parameters() if one.requires_grad], lr=1e-2)
    losses = []
    for _ in range(steps):
        loss = nn.functional.cross_entropy(network(IMAGES), LABELS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize(("size", "shift"), [(1e-3, 0.0), (100.0, 0.0), (1.0, 5.0)])
def test_a_probe_learns_the_same_from_features_of_any_size(size: float, shift: float) -> None:
    usual = probed(of_body(1.0))
    assert usual[0] == pytest.approx(np.log(10))  # it begins at zero
    assert usual[-1] < 0.8 * usual[0]
    assert probed(of_body(size, shift)) == pytest.approx(usual, rel=1e-2)


def test_what_is_handed_on_is_a_plain_classifier_with_the_same_scores() -> None:
    body = of_body(0.01, 0.3)
    probed(body)
    assert isinstance(body.classifier, StandardisedLinear)
    plain = of_body(0.01, 0.3)
    plain.load_state_dict(plain_state(body))
    assert not isinstance(plain.classifier, StandardisedLinear)
    with torch.no_grad():
        # The mean is a hundred times the spread, so that single precision loses two digits.
        assert plain.eval()(IMAGES).numpy() == pytest.approx(body.eval()(IMAGES).numpy(), abs=2e-3)


def test_a_classifier_that_was_trained_before_goes_on_from_its_scores() -> None:
    body = of_body(0.01, 0.3)
    with torch.no_grad():
        before = body(IMAGES)
        standardise(body, pooled, trained=True)
        assert body(IMAGES).numpy() == pytest.approx(before.numpy(), abs=1e-5)


def test_features_that_are_all_the_same_divide_by_nothing() -> None:
    body = of_body(0.0, 2.0)
    standardise(body, pooled, trained=True)
    assert torch.isfinite(body(IMAGES)).all()


def test_a_classifier_of_another_form_stays() -> None:
    body = network("simclr")
    body.network.classifier = nn.Sequential(body.classifier)
    standardise(body, pooled, trained=True)
    assert plain_state(body).keys() == body.state_dict().keys()


def test_a_checkpoint_from_before_goes_on_with_features_as_they_are() -> None:
    earlier, body = of_body(0.01), of_body(0.01)
    standardise(body, pooled, trained=True)
    body.load_state_dict(earlier.state_dict())
    with torch.no_grad():
        assert body(IMAGES).numpy() == pytest.approx(earlier(IMAGES).numpy(), abs=1e-6)


def test_part_of_a_state_leaves_mean_and_spread() -> None:
    body = of_body(0.01)
    standardise(body, pooled, trained=True)
    before = body.state_dict()["network.classifier.spread"].item()
    body.load_state_dict({}, strict=False)
    assert body.state_dict()["network.classifier.spread"].item() == before != 1.0

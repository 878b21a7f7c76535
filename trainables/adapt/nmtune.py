"""NMTune (Chen et al. 2024): features of a network that was pretrained on wrong labels are reshaped, and stay frozen.

A residual MLP stands before the classifier. Beside the labels it learns to stay near the pretrained features, to have
features that do not repeat each other, and to have a few that dominate, which noise in the labels takes away.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
import torch.nn.functional as F
from lightly.loss.vicreg_loss import covariance_loss
from torch import Tensor, nn

from trainables.adapt._resting import rest
from trainables.adapt._whole import network_of
from trainables.backbones._classifiers import ResidualClassifier
from trainables.deploy import Deployable
from trainables.objectives._views import Views
from trainables.plan import Batch, Plan

PAPER = "https://arxiv.org/abs/2309.17002"
OWN_LOSS = True
FORM = "residual"
LARGEST = 5
"""Singular values that are to dominate."""


def adapt(
    plan: Plan,
    *,
    consistency: float = 1.0,
    covariance: float = 0.04,
    spectrum: float = 0.001,
    ratio: float = 4.0,
    crop: float = 1.0,
    jitter: float = 0.0,
    flip: float = 0.0,
) -> Plan:
    """Train the MLP and the classifier; all else rests, statistics included. With all weights 0 it is an MLP probe.

    Args:
        plan: with a network that has the form.
        consistency: weight of the mean squared difference between changed features of one view and pretrained ones of
            the other, both of length 1.
        covariance: weight of VICReg's covariance of the changed features of both views.
        spectrum: weight of the mean of their five largest singular values, each over the sum of all, which is to grow.
        ratio: width of the hidden layer over the number of features.
        crop, jitter, flip: of the views, see ``trainables.objectives._views``; by default both are the image as the
            recipe augments it, and one pass is made of them.

    Raises:
        ValueError: a weight is below 0, or the network is not shaped.
    """
    if min(consistency, covariance, spectrum) < 0:
        raise ValueError(
            "adaptation.nmtune: consistency, covariance and spectrum are at least 0, given "
            f"{consistency}, {covariance} and {spectrum}"
        )
    network = network_of(plan)
    if not isinstance(network.classifier, ResidualClassifier):
        raise ValueError(f"adaptation 'nmtune' needs a hidden layer of ratio {ratio} before the network's classifier")
    views = None if (crop, jitter, flip) == (1.0, 0.0, 0.0) else Views(crop=crop, jitter=jitter, flip=flip)
    weights = {"consistency": consistency, "covariance": covariance, "spectrum": spectrum}
    return replace(plan, objective=_Tuning(network, network.classifier, views, weights))


def dominance(feature_BF: Tensor) -> Tensor:
    """Mean of the five largest singular values of features, each over the sum of all; a fifth at most."""
    value_D = torch.linalg.svdvals(feature_BF)
    share: Tensor = value_D[:LARGEST].mean() / value_D.sum()
    return share


class _Tuning(nn.Module):
    def __init__(
        self, network: Deployable, classifier: ResidualClassifier, views: Views | None, weights: Mapping[str, float]
    ) -> None:
        super().__init__()
        self.network = network.requires_grad_(False)
        classifier.requires_grad_(True)
        trained = set(classifier.modules())
        rest(module for module in network.modules() if module not in trained)
        self._classifier, self._views, self._weights = (classifier,), views, weights

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images, by both views of them."""
        (classifier,), views, image_BCHW = self._classifier, self._views, batch.image_BCHW
        seen = [image_BCHW] if views is None else [views.of(image_BCHW, generator, number=number) for number in (0, 1)]
        with torch.no_grad():
            feature_NF = self.network.pooled(torch.cat(seen))
        changed_NF = classifier.changed(feature_NF)
        loss = F.cross_entropy(classifier.linear(changed_NF), batch.target_BK.repeat(len(seen), 1))
        for name, weight in self._weights.items():
            if weight:
                loss = loss + weight * self._term(name, feature_NF, changed_NF, len(image_BCHW))
        return loss

    def _term(self, name: str, feature_NF: Tensor, changed_NF: Tensor, count: int) -> Tensor:
        if name == "spectrum":
            return -dominance(changed_NF)
        if name == "covariance":
            loss: Tensor = covariance_loss(changed_NF)
            return loss
        return F.mse_loss(F.normalize(changed_NF[-count:], dim=1), F.normalize(feature_NF[:count], dim=1))

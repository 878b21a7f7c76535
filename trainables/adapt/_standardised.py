"""A linear classifier that learns as well from features of any size.

Pretraining leaves features whose mean and spread follow from its loss and from the backbone's last activation; where
they spread by a hundredth, no usual learning rate moves the scores within a schedule. MAE's authors (He et al. 2022,
A.1) therefore probe behind a normalisation, which is absorbed afterwards. Here it is the mean of each feature and one
spread of all, fixed before training, so that features keep their directions.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.deploy import Deployable

Features: TypeAlias = Callable[[Deployable], Tensor]
"""Pooled features (S, F), as a network has them now, of some of the images that are trained on."""


class StandardisedLinear(nn.Linear):
    """Class scores of features minus their mean, over their spread.

    Args:
        linear: whose scores it begins with.
        centre_F: mean of each feature.
        spread: root of their mean variance, above 0.
    """

    centre_F: Tensor
    spread: Tensor

    def __init__(self, linear: nn.Linear, centre_F: Tensor, spread: Tensor) -> None:
        super().__init__(linear.in_features, linear.out_features, device="meta")  # which draws nothing
        self.register_buffer("centre_F", centre_F.to(linear.weight))
        self.register_buffer("spread", spread.to(linear.weight))
        with torch.no_grad():
            bias_K = linear.weight @ self.centre_F + (0.0 if linear.bias is None else linear.bias)
            self.weight, self.bias = nn.Parameter(linear.weight * self.spread), nn.Parameter(bias_K)

    def forward(self, feature_NF: Tensor) -> Tensor:
        """Class scores (N, K)."""
        return F.linear((feature_NF - self.centre_F) / self.spread, self.weight, self.bias)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        if f"{prefix}weight" in state_dict:  # from before there was a standardisation: those of features as they are
            state_dict.setdefault(f"{prefix}centre_F", torch.zeros_like(self.centre_F))
            state_dict.setdefault(f"{prefix}spread", torch.ones_like(self.spread))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def standardise(network: Deployable, features: Features, *, trained: bool) -> None:
    """Put a ``StandardisedLinear`` in place of the network's linear classifier; one of another form stays.

    It begins with the scores of a classifier that pretraining has trained, and else at zero: random weights on a
    thousand features give scores of ten and more, which a probe of a few epochs does not unlearn.

    Args:
        network: on its device, with the weights that its body keeps.
        features: of images that are trained on.
        trained: whether pretraining has trained its classifier.
    """
    linear = network.classifier
    if not isinstance(linear, nn.Linear):
        return
    feature_SF = features(network)
    spread = feature_SF.var(dim=0, correction=0).mean().sqrt()
    above, _, last = network.name_of_classifier.rpartition(".")
    own = StandardisedLinear(linear, feature_SF.mean(dim=0), torch.where(spread > 0, spread, 1.0))
    if not trained:
        nn.init.zeros_(own.weight)
        nn.init.zeros_(own.bias)
    setattr(network.get_submodule(above), last, own)


def plain_state(network: Deployable) -> dict[str, Tensor]:
    """The state of a network whose classifier is a plain linear one, with the same scores."""
    state = network.state_dict()
    if not isinstance(network.classifier, StandardisedLinear):
        return state
    name = network.name_of_classifier
    centre_F, spread = (state.pop(f"{name}.{buffer}").double() for buffer in ("centre_F", "spread"))
    weight_KF, bias_K = state[f"{name}.weight"], state[f"{name}.bias"]
    plain_KF = weight_KF.double() / spread
    absorbed = {"weight": plain_KF, "bias": bias_K - plain_KF @ centre_F}
    return {**state, **{f"{name}.{key}": value.to(weight_KF.dtype) for key, value in absorbed.items()}}

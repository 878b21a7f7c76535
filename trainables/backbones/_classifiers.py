"""Classifiers of another form than one linear layer, which an adaptation puts where the network's own is."""

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.counting.forms import hidden_width
from trainables.deploy import Backbone

START = 0.1
"""Of the trained factors of what is added to the features."""


class ResidualClassifier(nn.Module):
    """A linear layer on features to which a hidden layer's changes of them are added: W (f + s * MLP(f)).

    Args:
        linear: the layer.
        hidden: width of the hidden layer, which is followed by batch normalisation and ReLU.
    """

    def __init__(self, linear: nn.Linear, hidden: int) -> None:
        super().__init__()
        width = linear.in_features
        self.hidden, self.norm = nn.Linear(width, hidden, bias=False), nn.BatchNorm1d(hidden)
        self.change = nn.Linear(hidden, width, bias=False)
        self.scale_F = nn.Parameter(START * nn.init.ones_(self.change.weight.new_empty(width)))
        self.linear = linear

    @property
    def in_features(self) -> int:
        """Number of features."""
        return self.linear.in_features

    @property
    def out_features(self) -> int:
        """Number of class scores."""
        return self.linear.out_features

    def changed(self, feature_BF: Tensor) -> Tensor:
        """The features that the linear layer sees, (B, F)."""
        change_BF: Tensor = self.change(F.relu(self.norm(self.hidden(feature_BF))))
        return feature_BF + self.scale_F * change_BF

    def forward(self, feature_BF: Tensor) -> Tensor:
        """Class scores (B, K)."""
        scores: Tensor = self.linear(self.changed(feature_BF))
        return scores


def put_residual(network: nn.Module, *, ratio: float) -> None:
    """Put a ``ResidualClassifier`` in place of a network's linear classifier, which becomes its last layer.

    Args:
        network: in the manner of timm's.
        ratio: of the hidden layer's width to the number of features.

    Raises:
        ValueError: the last layer is not a linear one, or the hidden layer has no width.
    """
    linear = cast(Backbone, network).get_classifier()
    if not isinstance(linear, nn.Linear):
        raise ValueError(f"a residual classifier takes the place of a linear layer; this network ends with {linear}")
    hidden = hidden_width(linear.in_features, ratio)
    if hidden < 1:
        raise ValueError(f"{ratio} times {linear.in_features} features give a hidden layer no width; raise the ratio")
    name = next(name for name, module in network.named_modules() if module is linear)
    above, _, last = name.rpartition(".")
    setattr(network.get_submodule(above), last, ResidualClassifier(linear, hidden).to(linear.weight))

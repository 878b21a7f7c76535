"""A candidate's network for the data, and the pretrained weights that it begins with."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from spaces import components
from spaces.candidate import Candidate, keywords
from trainables.adapt._shape import shape
from trainables.deploy import Deployable
from trainables.plan import inputs_of
from trainables.pretrained import Sources
from trainables.splits import Splits
from trainables.weights.loading import start_for, weights_for

Weights = Mapping[str, Any]
"""Tensors by the names of a ``Deployable``'s state."""


def build(
    candidate: Candidate, splits: Splits, extra: Mapping[str, Any] | None = None, *, shaped: bool = True
) -> Deployable:
    """The candidate's network for the data, with normalisation and resizing, freshly initialised.

    Images are normalised by the statistics of the data, or by those that its pretrained weights were trained with,
    unless its recipe says otherwise.

    Args:
        candidate: whose backbone and architecture to build; its recipe may say how images are prepared.
        splits: gives classes, channels, normalisation, weights and, for backbones without one, the resolution.
        extra: further keywords of the backbone's ``build``, such as ``dropout``.
        shaped: whether it has the classifier that its adaptation puts on it, and not that of its pretraining.

    Raises:
        WeightsError: the candidate's weights stand for nothing.
    """
    architecture = keywords(candidate.architecture)
    backbone = components.load(components.BACKBONES, candidate.backbone)
    network = backbone.build(classes=len(splits.classes), channels=splits.channels, **architecture, **(extra or {}))
    resolution = int(architecture.get("resolution", splits.resolution))
    start = start_for(network, splits.weights)
    inputs = {
        "mean": splits.mean,
        "std": splits.std,
        **({} if start is None else start.inputs),
        **inputs_of(candidate.recipe),
    }
    for name in ("mean", "std"):
        if len(inputs[name]) != splits.channels:
            inputs[name] = (sum(inputs[name]) / len(inputs[name]),) * splits.channels
    if shaped:
        shape(network, candidate)
    return Deployable(network, resolution=resolution, **inputs)


def pretrained_weights(network: nn.Module, sources: Sources) -> Weights | None:
    """The pretrained weights from elsewhere that a network is to begin with; None for none."""
    assert isinstance(network, Deployable)
    start = start_for(network.network, sources)
    return None if start is None else {**network.state_dict(), **weights_for(start, network)}


def load_features(network: nn.Module, weights: Weights, *, classifier: bool = False) -> None:
    """Load all but the classifier, which stays as initialised unless it is asked for."""
    assert isinstance(network, Deployable)
    if classifier:
        network.load_state_dict(weights)
        return
    last = network.name_of_classifier
    network.load_state_dict(
        {
            name: weights[name] if not name.startswith(f"{last}.") else value
            for name, value in network.state_dict().items()
        }
    )

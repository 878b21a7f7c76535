"""What methods that train a whole network have in common: rates by layer, the pull to the pretrained point, norms."""

from dataclasses import replace

from timm.models import group_parameters
from torch import nn

from trainables.adapt._anchor import Anchor
from trainables.adapt._resting import norms, rest
from trainables.deploy import Deployable
from trainables.plan import Plan

STATISTICS = ("own", "pretrained")
"""Batch statistics: of the batches, which the running ones follow, or those that pretraining has left, for good."""


def network_of(plan: Plan) -> Deployable:
    """The plan's network."""
    network = plan.built()
    assert isinstance(network, Deployable)
    return network


def with_head_rate(plan: Plan, head_rate: float, method: str) -> Plan:
    """Give the classifier its own learning rate: so many times that of the body.

    Raises:
        ValueError: the factor is not above 0.
    """
    if head_rate <= 0.0:
        raise ValueError(f"adaptation.{method}.head_rate is above 0, given {head_rate}")
    if head_rate == 1.0:
        return plan
    head = {name: head_rate * plan.rates.get(name, 1.0) for name in _head(network_of(plan))}
    return replace(plan, rates={**plan.rates, **head})


def with_body_rate(plan: Plan, body_rate: float, method: str) -> Plan:
    """Give all but the classifier so many times the recipe's learning rate.

    Raises:
        ValueError: the factor is not above 0.
    """
    if body_rate <= 0.0:
        raise ValueError(f"adaptation.{method}.body_rate is above 0, given {body_rate}")
    network = network_of(plan)
    head = _head(network)
    body = {name: body_rate * plan.rates.get(name, 1.0) for name, _ in network.named_parameters() if name not in head}
    return plan if body_rate == 1.0 else replace(plan, rates={**plan.rates, **body})


def anchored(plan: Plan, decay: float, method: str) -> Plan:
    """Let all that is trained but the classifier decay towards where it is now, and not towards zero (L2-SP).

    Raises:
        ValueError: the decay is below 0.
    """
    if decay < 0.0:
        raise ValueError(f"adaptation.{method}.l2_sp is at least 0, given {decay}")
    if decay == 0.0:
        return plan
    network = network_of(plan)
    head = _head(network)
    body = {
        name: parameter
        for name, parameter in network.named_parameters()
        if parameter.requires_grad and name not in head
    }
    anchor = Anchor(body, decay)
    return replace(
        plan,
        before_step=(*plan.before_step, anchor.pull),
        undecayed=plan.undecayed | body.keys(),
        states={**plan.states, "anchor": anchor},
    )


def with_statistics(plan: Plan, statistics: str, method: str) -> Plan:
    """Use the batches' statistics in batch norms, or those that pretraining has left.

    Raises:
        ValueError: it is neither of both.
    """
    if statistics not in STATISTICS:
        raise ValueError(f"adaptation.{method}.statistics is '{statistics}'; it can be {' or '.join(STATISTICS)}")
    if statistics == "pretrained":
        batch_norms = (module for module in norms(plan.built()) if isinstance(module, nn.modules.batchnorm._BatchNorm))
        rest(batch_norms)
    return plan


def with_layer_decay(plan: Plan, decay: float, method: str) -> Plan:
    """Give layers smaller learning rates, the nearer they are to the image; 1 is off.

    Raises:
        ValueError: the factor is not in (0, 1], or the network does not say what its layers are.
    """
    if not 0.0 < decay <= 1.0:
        raise ValueError(f"adaptation.{method}.layer_decay is in (0, 1], given {decay}")
    return plan if decay == 1.0 else replace(plan, rates={**plan.rates, **layer_rates(network_of(plan), decay)})


def layer_rates(network: Deployable, decay: float) -> dict[str, float]:
    """Factor of the learning rate of each parameter: 1 in the last layer, ``decay`` in the one below, and so on.

    Layers are those of timm's ``group_matcher``: the stem, every block, and what follows.

    Raises:
        ValueError: the network has no ``group_matcher``.
    """
    layer_of = layers_of(network, "layer_decay", coarse=False)
    last = max(layer_of.values())
    return {name: decay ** (last - layer) for name, layer in layer_of.items()}


def layers_of(network: Deployable, knob: str, *, coarse: bool) -> dict[str, int]:
    """Number of the layer of each parameter, from the image on; of the stage where ``coarse``.

    Args:
        network: of a backbone in timm's manner.
        knob: what needs the layers, for people.
        coarse: whether a whole stage is one layer.

    Raises:
        ValueError: the network has no ``group_matcher``.
    """
    body = network.network
    matcher = getattr(body, "group_matcher", None)
    if not callable(matcher):
        raise ValueError(
            f"{type(body).__name__} has no group_matcher, which {knob} needs; write it as timm's models have it"
        )
    layer_of = group_parameters(body, matcher(coarse=coarse), reverse=True)
    return {f"network.{name}": int(layer) for name, layer in layer_of.items()}


def _head(network: Deployable) -> set[str]:
    """Names of the classifier's parameters."""
    return {f"{network.name_of_classifier}.{name}" for name, _ in network.classifier.named_parameters()}

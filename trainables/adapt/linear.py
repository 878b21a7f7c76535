"""Linear probing: train the classifier alone, on features that stay what pretraining made them."""

from typing import Any

from torch import nn

from trainables.deploy import Deployable
from trainables.plan import Plan

PAPER = "https://arxiv.org/abs/1610.01644"


def adapt(plan: Plan) -> Plan:
    """Freeze all but the classifier, as the recipe trains it; batch statistics, dropout and drop path rest as well.

    A step costs the backbone's forward pass only but is counted as a whole pass.
    """
    network = plan.built()
    assert isinstance(network, Deployable)
    classifier = network.classifier
    network.requires_grad_(False)
    classifier.requires_grad_(True)
    for module in network.modules():
        if module is not classifier:
            module.register_forward_pre_hook(_rest)  # the training loop puts all that it trains into training mode
    return plan


def _rest(module: nn.Module, arguments: Any) -> None:
    del arguments
    module.training = False

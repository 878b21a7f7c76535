"""Linear probing: train the classifier alone, on features that stay what pretraining made them."""

from dataclasses import replace

from trainables.adapt._resting import rest
from trainables.adapt._standardised import Features, standardise
from trainables.adapt._whole import network_of
from trainables.plan import Plan

PAPER = "https://arxiv.org/abs/1610.01644"
OWN_LOSS = False
FORM = None


def adapt(plan: Plan, *, features: Features, trained: bool) -> Plan:
    """Freeze all but the classifier, as the recipe trains it; batch statistics, dropout and drop path rest as well.

    The classifier is trained on standardised features and handed on as one of features as they are
    (``trainables.adapt._standardised``); weight decay is that of the former. Features are made once and kept
    (``trainables.frozen``), random augmentation as a few passes over the images; yet a step is counted as a whole pass
    of the backbone.

    Args:
        plan: with a network.
        features: of images that are trained on.
        trained: whether pretraining has trained the classifier, which then goes on; any other begins at zero.
    """
    network = network_of(plan)
    standardise(network, features, trained=trained)
    network.requires_grad_(False)
    network.classifier.requires_grad_(True)
    rest(module for module in network.modules() if module is not network.classifier)
    return replace(plan, probed=plan.epochs)

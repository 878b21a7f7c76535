"""Train layers of normalisation, biases and the classifier alone: some thousandth of the weights (BitFit)."""

from trainables.adapt._resting import norms
from trainables.adapt._whole import network_of, with_head_rate, with_statistics
from trainables.plan import Plan

PAPER = "https://arxiv.org/abs/2003.00152, https://arxiv.org/abs/2106.10199"
OWN_LOSS = False
FORM = None


def adapt(plan: Plan, *, head_rate: float = 1.0, statistics: str = "own") -> Plan:
    """Freeze all weights but those of normalisation, biases and the classifier.

    A step costs as much as one that trains all weights, but for the gradients of the weights themselves.

    Args:
        plan: with a network.
        head_rate: learning rate of the classifier as a multiple of that of all else.
        statistics: as in ``full``.

    Raises:
        ValueError: a value out of range.
    """
    network = network_of(plan)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.endswith("bias"))
    for module in (*norms(network), network.classifier):
        module.requires_grad_(True)
    return with_statistics(with_head_rate(plan, head_rate, "norms"), statistics, "norms")

"""Fine-tune all weights but those of normalisation, whose statistics stay too: for batches too small for their own."""

from trainables.adapt._resting import norms, rest
from trainables.adapt._whole import anchored, network_of, with_head_rate, with_layer_decay
from trainables.plan import Plan

PAPER = "https://arxiv.org/abs/1711.10370"
OWN_LOSS = False
FORM = None


def adapt(plan: Plan, *, layer_decay: float = 1.0, head_rate: float = 1.0, l2_sp: float = 0.0) -> Plan:
    """Train all but the layers of normalisation, which stay what pretraining made them, statistics included.

    Args:
        plan: with a network.
        layer_decay, head_rate, l2_sp: as in ``full``.

    Raises:
        ValueError: a value out of range, or a network that does not say what its layers are.
    """
    network = network_of(plan)
    network.requires_grad_(True)
    for module in norms(network):
        module.requires_grad_(False)
    network.classifier.requires_grad_(True)
    rest(norms(network))
    plan = with_head_rate(with_layer_decay(plan, layer_decay, "frozen_norms"), head_rate, "frozen_norms")
    return anchored(plan, l2_sp, "frozen_norms")

"""Fine-tune all weights, with smaller steps for layers nearer to the image where this is asked for.

Layer-wise learning-rate decay is BEiT's (Bao et al. 2022): what is nearer to the image is more general.
"""

from trainables.adapt._whole import anchored, with_head_rate, with_layer_decay, with_statistics
from trainables.plan import Plan

PAPER = "https://arxiv.org/abs/2106.08254"
OWN_LOSS = False
FORM = None


def adapt(
    plan: Plan, *, layer_decay: float = 1.0, head_rate: float = 1.0, l2_sp: float = 0.0, statistics: str = "own"
) -> Plan:
    """Every parameter is trained on, from the pretrained weights, as the recipe says.

    Args:
        plan: with a network.
        layer_decay: factor of the learning rate from each layer to the one below it, in (0, 1]; 1 is off.
        head_rate: learning rate of the classifier as a multiple of that of the layer below it.
        l2_sp: weight decay towards the pretrained weights, in place of the recipe's towards zero; 0 is off.
        statistics: of batch norms in training: ``own``, those of the batches, which the running ones follow, or
            ``pretrained``, which stay.

    Raises:
        ValueError: a value out of range, or a network that does not say what its layers are.
    """
    plan.built().requires_grad_(True)
    plan = with_head_rate(with_layer_decay(plan, layer_decay, "full"), head_rate, "full")
    return with_statistics(anchored(plan, l2_sp, "full"), statistics, "full")

"""Fine-tune all weights, with smaller steps for layers nearer to the image where this is asked for.

Layer-wise learning-rate decay is BEiT's (Bao et al. 2022): what is nearer to the image is more general.
"""

from dataclasses import replace

from timm.models import group_parameters

from trainables.deploy import Deployable
from trainables.plan import Plan

PAPER = "https://arxiv.org/abs/2106.08254"


def adapt(plan: Plan, *, layer_decay: float = 1.0) -> Plan:
    """Every parameter is trained on, from the pretrained weights, as the recipe says.

    Args:
        plan: with a network.
        layer_decay: factor of the learning rate from each layer to the one below it, in (0, 1]; 1 is off.

    Raises:
        ValueError: the factor is not in (0, 1], or the network does not say what its layers are.
    """
    network = plan.built()
    network.requires_grad_(True)
    if layer_decay == 1.0:
        return plan
    if not 0.0 < layer_decay < 1.0:
        raise ValueError(f"adaptation.full.layer_decay is in (0, 1], given {layer_decay}")
    assert isinstance(network, Deployable)
    return replace(plan, rates=layer_rates(network, layer_decay))


def layer_rates(network: Deployable, decay: float) -> dict[str, float]:
    """Factor of the learning rate of each parameter: 1 in the last layer, ``decay`` in the one below, and so on.

    Layers are those of timm's ``group_matcher``: the stem, every block, and what follows.

    Raises:
        ValueError: the network has no ``group_matcher``.
    """
    body = network.network
    matcher = getattr(body, "group_matcher", None)
    if not callable(matcher):
        raise ValueError(
            f"{type(body).__name__} has no group_matcher, which layer_decay needs; write it as timm's models have it, "
            "or set layer_decay to 1"
        )
    layer_of = group_parameters(body, matcher(coarse=False), reverse=True)
    last = max(layer_of.values())
    return {f"network.{name}": decay ** (last - layer) for name, layer in layer_of.items()}

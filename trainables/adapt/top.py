"""Fine-tune the last stages alone: what is nearest to the classes; the rest stays what pretraining made it."""

from trainables.adapt._resting import frozen, rest
from trainables.adapt._whole import anchored, layers_of, network_of, with_head_rate
from trainables.plan import Plan

PAPER = "https://arxiv.org/abs/1411.1792"
OWN_LOSS = False
FORM = None


def adapt(plan: Plan, *, stages: int = 1, head_rate: float = 1.0, l2_sp: float = 0.0) -> Plan:
    """Train the last stages and what follows them; batch statistics, dropout and drop path of all else rest.

    A step costs no gradients of what is frozen but is counted as a whole pass.

    Args:
        plan: with a network.
        stages: how many of the stages of timm's coarse ``group_matcher``, counted from the last; at least 1.
        head_rate, l2_sp: as in ``full``.

    Raises:
        ValueError: a value out of range, or a network that does not say what its stages are.
    """
    if stages < 1:
        raise ValueError(f"adaptation.top.stages is at least 1, given {stages}")
    network = network_of(plan)
    stage_of = layers_of(network, "adaptation.top", coarse=True)
    last = max(stage_of.values())
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(stage_of[name] >= last - stages)
    network.classifier.requires_grad_(True)
    rest(frozen(network))
    return anchored(with_head_rate(plan, head_rate, "top"), l2_sp, "top")

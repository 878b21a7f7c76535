"""Fine-tune all weights."""

from trainables.plan import Plan

PAPER = "none: the usual method"


def adapt(plan: Plan) -> Plan:
    """Every parameter is trained on, from the pretrained weights, as the recipe says."""
    plan.built().requires_grad_(True)
    return plan

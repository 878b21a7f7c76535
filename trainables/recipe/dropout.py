"""Dropout before the classifier (Srivastava et al. 2014)."""

from dataclasses import replace

from trainables.plan import Plan, Stage

STAGE = Stage.NETWORK


def apply(plan: Plan, *, rate: float) -> Plan:
    """Drop each feature with probability ``rate``."""
    return replace(plan, build={**plan.build, "dropout": rate})

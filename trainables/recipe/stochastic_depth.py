"""Stochastic depth (Huang et al. 2016), with a rate that grows linearly with depth."""

from dataclasses import replace

from trainables.plan import Plan, Stage

STAGE = Stage.NETWORK


def apply(plan: Plan, *, rate: float) -> Plan:
    """Skip the last residual block with probability ``rate``, earlier ones proportionally less often."""
    return replace(plan, build={**plan.build, "stochastic_depth": rate})

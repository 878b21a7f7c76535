"""Stochastic depth (Huang et al. 2016), with a rate that grows linearly with depth."""

from dataclasses import replace

from trainables.plan import Plan, Stage

PAPER = "https://arxiv.org/abs/1603.09382"
STAGE = Stage.NETWORK
OFF = {"rate": 0.0}
TRIED = ({"rate": 0.1},)
PER_WORKER = "each worker skips blocks of its own images"


def apply(plan: Plan, *, rate: float) -> Plan:
    """Skip the last residual block with probability ``rate``, earlier ones proportionally less often; zero is off."""
    return plan if rate == 0.0 else replace(plan, build={**plan.build, "stochastic_depth": rate})

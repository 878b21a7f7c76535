"""Batch size."""

from dataclasses import replace

from trainables.plan import Plan, Stage

STAGE = Stage.NETWORK


def apply(plan: Plan, *, size: int) -> Plan:
    """Train with ``size`` images a step, over all workers; data sets smaller than that are one batch."""
    return replace(plan, batch_size=min(size, plan.images))

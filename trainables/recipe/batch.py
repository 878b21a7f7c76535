"""Batch size."""

from dataclasses import replace

from trainables.plan import Plan, Stage

PAPER = "https://arxiv.org/abs/1804.07612"
STAGE = Stage.NETWORK
OFF = None
TRIED = ({"size": 32}, {"size": 128})
PER_WORKER = None


def apply(plan: Plan, *, size: int) -> Plan:
    """Train with ``size`` images a step, over all workers; data sets smaller than that are one batch."""
    return replace(plan, batch_size=min(size, plan.images))

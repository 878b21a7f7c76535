"""Dropout before the classifier (Srivastava et al. 2014)."""

from dataclasses import replace

from trainables.plan import Plan, Stage

PAPER = "https://jmlr.org/papers/v15/srivastava14a.html"
STAGE = Stage.NETWORK
OFF = {"rate": 0.0}
TRIED = ({"rate": 0.2},)
PER_WORKER = "each worker drops features of its own images"


def apply(plan: Plan, *, rate: float) -> Plan:
    """Drop each feature with probability ``rate``; zero is off."""
    return plan if rate == 0.0 else replace(plan, build={**plan.build, "dropout": rate})

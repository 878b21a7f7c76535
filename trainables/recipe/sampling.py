"""Which training images are seen how often: rare classes more often than others."""

from dataclasses import replace

from trainables.batches.order import RareFirst
from trainables.plan import Plan, Stage

PAPER = "https://arxiv.org/abs/2111.14887"
STAGE = Stage.BATCH
OFF = {"rare": 0.0}
TRIED = ({"rare": 0.1},)
PER_WORKER = None


def apply(plan: Plan, *, rare: float = 0.0) -> Plan:
    """Draw the class of an image with probability softmax((1 - share) / ``rare``); zero is off.

    Args:
        plan: the plan so far.
        rare: the temperature. DAFormer has 0.01; classes are drawn nearly alike where it is far above their shares.

    Raises:
        ValueError: it is below 0.
    """
    if rare < 0:
        raise ValueError(f"recipe.sampling.rare is at least 0, given {rare}")
    return plan if rare == 0.0 else replace(plan, order=RareFirst(rare))

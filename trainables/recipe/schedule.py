"""Learning-rate schedules, updated every step: linear warm-up, then exponential (FBNetV3) or cosine decay."""

import math
from dataclasses import replace

from torch.optim.lr_scheduler import LambdaLR

from trainables.plan import Plan, Stage

PAPER = "https://arxiv.org/abs/1608.03983"
STAGE = Stage.SCHEDULE
OFF = {"final": 1.0}
TRIED = (
    {"name": "cosine", "warmup_epochs": 1, "final": 0.01},
    {"name": "exponential", "warmup_epochs": 1, "final": 0.01},
)
PER_WORKER = None


def apply(plan: Plan, *, name: str = "exponential", warmup_epochs: float = 0.0, final: float = 0.0035) -> Plan:
    """Set the schedule.

    Args:
        plan: with an optimizer.
        name: ``exponential`` or ``cosine``.
        warmup_epochs: length of the linear warm-up from zero.
        final: rate at the end as a fraction of the peak. The paper's 0.963 an epoch over 150 epochs is 0.0035; 1 is
            off: without a warm-up the rate is constant.

    Raises:
        ValueError: an unknown name.
    """
    if name not in {"exponential", "cosine"}:
        raise ValueError(f"recipe.schedule.name is '{name}'; it can be exponential or cosine")
    if final == 1.0 and not warmup_epochs:
        return plan
    steps = plan.epochs * plan.steps_per_epoch
    warmup = warmup_epochs * plan.steps_per_epoch

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        progress = min(1.0, (step - warmup) / max(1.0, steps - warmup))
        if name == "exponential":
            return float(final**progress)
        return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * progress))

    scheduler = LambdaLR(plan.optimized(), factor)
    return replace(plan, after_step=(*plan.after_step, scheduler.step), states={**plan.states, "schedule": scheduler})

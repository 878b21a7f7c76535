"""What the recipes of the spaces for large images hold fixed: the batch that their rates are for, and the schedule."""

from spaces.dimensions import Choice, Dimension


def batches_of_256(*, schedule: str, final: float) -> dict[str, Dimension]:
    """Dimensions with one value each: batches of 256, five epochs of warm-up, then a decay.

    Args:
        schedule: ``exponential`` or ``cosine``.
        final: learning rate at the end as a fraction of the peak.
    """
    return {
        "batch.size": Choice(values=(256,)),
        "schedule.name": Choice(values=(schedule,)),
        "schedule.warmup_epochs": Choice(values=(5,)),
        "schedule.final": Choice(values=(final,)),
    }

"""The recipe that spaces of transformers for large images have in common: batches of 256 with AdamW."""

from spaces.batches import batches_of_256
from spaces.dimensions import Choice, Dimension, Real, Value

PUBLISHED_RECIPE: dict[str, Value] = {
    "batch.size": 256,
    "schedule.name": "cosine",
    "schedule.warmup_epochs": 5,
    "schedule.final": 0.01,
    "optimizer.name": "adamw",
    "optimizer.learning_rate.adamw": 2.5e-4,
    "optimizer.weight_decay": 0.05,
    "dropout.rate": 0.0,
    "label_smoothing.rate": 0.1,
    "mixup.alpha": 0.8,
    "augment.erase": 0.25,
    "ema.decay": 0.0,
}
"""What TinyViT, UniFormer and others were published with for ImageNet-1k without a teacher, as far as the spaces have
it: no RandAugment and no CutMix, 5 epochs of warm-up in place of 20; the rate is 1e-3 for 1,024 images. A space takes
the nearest levels."""


def recipe(*, stochastic_depth: float = 0.3) -> dict[str, Dimension]:
    """Dimensions by address below ``recipe``; ``stochastic_depth`` is the highest rate, a multiple of 0.05."""
    return {
        **batches_of_256(schedule="cosine", final=0.01),
        "optimizer.name": Choice(values=("adamw",)),
        "optimizer.learning_rate.adamw": Real(low=1e-4, high=1.6e-3, levels=9, log=True),
        "optimizer.weight_decay": Real(low=0.005, high=0.16, levels=6, log=True),
        "dropout.rate": Real(low=0.0, high=0.2, levels=5),
        "stochastic_depth.rate": Real(low=0.0, high=stochastic_depth, levels=round(stochastic_depth / 0.05) + 1),
        "label_smoothing.rate": Choice(values=(0.0, 0.1), ordered=True),
        "mixup.alpha": Real(low=0.0, high=0.8, levels=9),
        "augment.erase": Real(low=0.0, high=0.25, levels=6),
        "ema.decay": Choice(values=(0.0, 0.999, 0.9999), ordered=True),
    }

"""MBConv networks for small images, with a recipe space for batches of 32: the space of the embedded digits.

Three stages after a 3x3 stem; the second and third halve the image, so that 8 pixels end as a 2x2 map (1x1 where the
stem halves as well). 30 to 700 thousand macs are usual at 8 to 16 pixels; the smallest network takes 3 thousand.
"""

from spaces._small_references import references as references
from spaces.dimensions import Choice, Dimension, Real
from spaces.space import Condition, Space


def space() -> Space:
    """The space: 3e10 architectures x 4e9 recipes."""
    recipe, conditions = recipe_of_small_images()
    return Space(name="tiny", backbone="mobile", architecture=_architecture(), recipe=recipe, conditions=conditions)


def _architecture() -> dict[str, Dimension]:
    widths = ((4, 8, 12, 16, 24), (8, 12, 16, 24, 40), (8, 16, 24, 40, 64))
    strides = (1, 2, 2)
    architecture: dict[str, Dimension] = {
        "resolution": Choice(values=(8, 12, 16, 20, 24, 28, 32), ordered=True),
        "stem_width": Choice(values=(4, 8, 12, 16, 24), ordered=True),
        "stem_stride": Choice(values=(1, 2), ordered=True),
        "activation": Choice(values=("relu", "silu", "hard_swish")),
        "head_expansion": Choice(values=(1, 2, 4), ordered=True),
        "head_width": Choice(values=(16, 32, 64, 128), ordered=True),
    }
    for stage in range(3):
        architecture |= {
            f"width.{stage}": Choice(values=widths[stage], ordered=True),
            f"depth.{stage}": Choice(values=(1, 2, 3), ordered=True),
            f"kernel.{stage}": Choice(values=(3, 5), ordered=True),
            f"expansion.{stage}": Choice(values=(1, 2, 3, 4), ordered=True),
            f"squeeze_excite.{stage}": Choice(values=(False, True)),
            f"stride.{stage}": Choice(values=(strides[stage],)),
        }
    return architecture


def recipe_of_small_images() -> tuple[dict[str, Dimension], dict[str, Condition]]:
    """Recipe dimensions and their conditions: learning rates for batches of 32, each with its optimizer."""
    rate = "optimizer.learning_rate"
    recipe: dict[str, Dimension] = {
        "batch.size": Choice(values=(32,)),
        "schedule.name": Choice(values=("cosine",)),
        "schedule.warmup_epochs": Choice(values=(1,)),
        "schedule.final": Choice(values=(0.01,)),
        "optimizer.name": Choice(values=("rmsprop", "sgd", "adamw")),
        f"{rate}.rmsprop": Real(low=3e-4, high=2e-2, levels=16, log=True),
        f"{rate}.sgd": Real(low=1e-2, high=5e-1, levels=16, log=True),
        f"{rate}.adamw": Real(low=5e-4, high=2e-2, levels=16, log=True),
        "optimizer.momentum.sgd": Choice(values=(0.0, 0.5, 0.8, 0.9, 0.95), ordered=True),
        "optimizer.momentum.rmsprop": Choice(values=(0.0, 0.5, 0.8, 0.9), ordered=True),
        "optimizer.weight_decay": Real(low=1e-6, high=1e-2, levels=9, log=True),
        "dropout.rate": Real(low=0.0, high=0.4, levels=9),
        "stochastic_depth.rate": Real(low=0.0, high=0.3, levels=7),
        "mixup.alpha": Real(low=0.0, high=0.4, levels=9),
        "label_smoothing.rate": Real(low=0.0, high=0.2, levels=5),
        "ema.decay": Choice(values=(0.0, 0.9, 0.97, 0.99), ordered=True),
        "augment.shift": Real(low=0.0, high=0.15, levels=6),
        "augment.rotate_degrees": Real(low=0.0, high=15.0, levels=6),
        "augment.erase": Real(low=0.0, high=0.25, levels=6),
    }
    owners = {
        f"{rate}.rmsprop": "rmsprop",
        f"{rate}.sgd": "sgd",
        f"{rate}.adamw": "adamw",
        "optimizer.momentum.sgd": "sgd",
        "optimizer.momentum.rmsprop": "rmsprop",
    }
    conditions = {
        f"recipe.{address}": Condition(parent="recipe.optimizer.name", values=(owner,))
        for address, owner in owners.items()
    }
    return recipe, conditions

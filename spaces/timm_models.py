"""A space whose backbone is itself a dimension: any list of timm's models, at any list of resolutions.

Another list is a new file of four lines that calls ``of_models``.
"""

from spaces.batches import batches_of_256
from spaces.dimensions import Choice, Dimension, Real
from spaces.space import Condition, Space

NAMES = (
    "convnextv2_atto", "efficientnet_b0", "efficientnet_b1", "fbnetv3_b", "ghostnet_100", "mobilenetv3_large_100",
    "mobilenetv3_small_100", "mobilenetv4_conv_medium", "mobilenetv4_conv_small", "regnety_004", "regnety_008",
    "repvit_m1", "resnet18", "resnet50",
)  # fmt: skip


def space() -> Space:
    """The space: fourteen efficient models at four resolutions x 9e5 recipes."""
    return of_models("timm_models", names=NAMES, resolutions=(160, 192, 224, 256))


def of_models(space_name: str, *, names: tuple[str, ...], resolutions: tuple[int, ...]) -> Space:
    """A space over timm's models of these names. Learning rates are for batches of 256."""
    rate = "optimizer.learning_rate"
    architecture: dict[str, Dimension] = {
        "name": Choice(values=names),
        "resolution": Choice(values=resolutions, ordered=True),
    }
    recipe: dict[str, Dimension] = {
        **batches_of_256(schedule="cosine", final=0.01),
        "optimizer.name": Choice(values=("rmsprop", "sgd", "adamw")),
        f"{rate}.rmsprop": Real(low=2e-3, high=5e-2, levels=9, log=True),
        f"{rate}.sgd": Real(low=2e-2, high=5e-1, levels=9, log=True),
        f"{rate}.adamw": Real(low=1e-4, high=4e-3, levels=9, log=True),
        "optimizer.weight_decay": Real(low=1e-6, high=1e-1, levels=11, log=True),
        "dropout.rate": Real(low=0.0, high=0.4, levels=9),
        "label_smoothing.rate": Choice(values=(0.0, 0.1), ordered=True),
        "mixup.alpha": Real(low=0.0, high=0.8, levels=9),
        "augment.erase": Real(low=0.0, high=0.25, levels=6),
        "ema.decay": Choice(values=(0.0, 0.999, 0.9999), ordered=True),
    }
    conditions = {
        f"recipe.{rate}.{name}": Condition(parent="recipe.optimizer.name", values=(name,))
        for name in ("rmsprop", "sgd", "adamw")
    }
    return Space(
        name=space_name, backbone="timm_model", architecture=architecture, recipe=recipe, conditions=conditions
    )

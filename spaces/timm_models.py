"""A space whose backbone is itself a dimension: any list of timm's models, at any list of resolutions.

Another list is a new file of four lines that calls ``of_models``.
"""

from collections.abc import Iterator

from spaces.batches import batches_of_256
from spaces.candidate import Candidate
from spaces.dimensions import Choice, Dimension, Real, Value
from spaces.reference import Reference
from spaces.space import Condition, Space

NAMES = (
    "convnextv2_atto", "efficientnet_b0", "efficientnet_b1", "fbnetv3_b", "ghostnet_100", "mobilenetv3_large_100",
    "mobilenetv3_small_100", "mobilenetv4_conv_medium", "mobilenetv4_conv_small", "regnety_004", "regnety_008",
    "repvit_m1", "resnet18", "resnet50",
)  # fmt: skip
RESOLUTIONS = (160, 192, 224, 256)

_EVERYWHERE: dict[str, Value] = {
    "batch.size": 256,
    "schedule.name": "cosine",
    "schedule.warmup_epochs": 5,
    "schedule.final": 0.01,
    "label_smoothing.rate": 0.1,
    "mixup.alpha": 0.0,
}
RECIPES: dict[str, tuple[tuple[str, ...], dict[str, Value]]] = {
    "EfficientNets, timm's RMSProp recipe": (
        ("mobilenetv3_small_100", "mobilenetv3_large_100", "efficientnet_b0", "efficientnet_b1"),
        {
            "optimizer.name": "rmsprop",
            "optimizer.learning_rate.rmsprop": 0.016,
            "optimizer.weight_decay": 1e-5,
            "dropout.rate": 0.2,
            "augment.erase": 0.2,
            "ema.decay": 0.9999,
        },
    ),
    "ResNets, timm's SGD recipe": (
        ("regnety_004", "regnety_008", "resnet18", "resnet50"),
        {
            "optimizer.name": "sgd",
            "optimizer.learning_rate.sgd": 0.1,
            "optimizer.weight_decay": 1e-4,
            "dropout.rate": 0.0,
            "augment.erase": 0.25,
            "ema.decay": 0.0,
        },
    ),
}
"""Models and recipes of timm's training examples (https://huggingface.co/docs/timm/training_script), rates for batches
of 256. Left out is what the space does not have: RandAugment, stochastic depth, a schedule in steps, and erasing 0.4 of
the images for ResNets. The other models of ``NAMES`` have recipes that the space cannot express."""


def space() -> Space:
    """The space: fourteen efficient models at four resolutions x 9e5 recipes."""
    return of_models("timm_models", names=NAMES, resolutions=RESOLUTIONS)


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


def references() -> Iterator[Reference]:
    """Models that timm publishes a recipe for, at every resolution of the space."""
    for resolution in RESOLUTIONS:
        for family, (names, recipe) in RECIPES.items():
            for name in names:
                yield Reference(
                    name=f"{name} at {resolution} px",
                    family=family,
                    candidate=Candidate(
                        backbone="timm_model",
                        objective="supervised",
                        architecture={"name": name, "resolution": resolution},
                        recipe={**_EVERYWHERE, **recipe},
                    ),
                )

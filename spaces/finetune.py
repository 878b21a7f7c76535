"""Pretrained network x how it is fine-tuned x recipe x resolution: efficient models of timm, 128 to 384 pixels.

``architecture.weights`` is ``none`` or ``pretrained``: what section ``weights`` of the configuration has for the model,
or timm's default weights. Another list of models is a new file of four lines that calls ``of_pretrained``.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from spaces.candidate import Candidate
from spaces.dimensions import Choice, Dimension, Real, Value
from spaces.reference import Reference
from spaces.space import Condition, Space

NAMES = (
    "convnextv2_atto", "convnextv2_femto", "efficientnet_b0", "efficientnet_b1", "fbnetv3_b", "ghostnet_100",
    "mobilenetv3_large_100", "mobilenetv3_small_100", "mobilenetv4_conv_medium", "mobilenetv4_conv_small",
    "regnety_004", "regnety_008", "resnet18", "resnet50", "tf_efficientnet_lite0", "tf_efficientnet_lite1",
)  # fmt: skip
RESOLUTIONS = (128, 160, 192, 224, 256, 288, 320, 384)
WEIGHTS = "architecture.weights"
METHOD = "adaptation.method"
RATE = "optimizer.learning_rate"


def space() -> Space:
    """The space: sixteen models with or without weights at eight resolutions, six ways to fine-tune, 2e8 recipes."""
    return of_pretrained("finetune", names=NAMES, resolutions=RESOLUTIONS, batches=(32, 64, 128))


KNOBS: Mapping[str, Dimension] = MappingProxyType(
    {
        "full.layer_decay": Choice(values=(0.65, 0.8, 0.9, 1.0), ordered=True),
        "full.head_rate": Choice(values=(1.0, 3.0, 10.0), ordered=True),
        "full.l2_sp": Choice(values=(0.0, 0.01, 0.1, 1.0), ordered=True),
        "full.statistics": Choice(values=("own", "pretrained")),
        "linear_then_full.share": Choice(values=(0.25, 0.5), ordered=True),
        "linear_then_full.head_rate": Choice(values=(1.0, 3.0, 10.0), ordered=True),
        "top.stages": Choice(values=(1, 2, 3), ordered=True),
        "top.head_rate": Choice(values=(1.0, 3.0, 10.0), ordered=True),
        "norms.head_rate": Choice(values=(1.0, 3.0, 10.0), ordered=True),
        "frozen_norms.head_rate": Choice(values=(1.0, 3.0, 10.0), ordered=True),
    }
)
"""Knobs of the methods by address below ``adaptation``; all others are what ``trainables/adapt`` has as defaults."""


def of_pretrained(
    space_name: str,
    *,
    names: tuple[str, ...],
    resolutions: tuple[int, ...],
    batches: tuple[int, ...],
    knobs: Mapping[str, Dimension] = KNOBS,
) -> Space:
    """A space over timm's models of these names, each pretrained and fine-tuned, or trained from scratch.

    Args:
        space_name: file name of the space.
        names: timm's, without tags.
        resolutions: sides of the image that the networks see.
        batches: sizes of a batch; learning rates are per step, whatever it is.
        knobs: of the ways to fine-tune, by address below ``adaptation``.
    """
    recipe, conditions = _recipe(batches)
    adaptation, of_methods = _adaptation(knobs)
    return Space(
        name=space_name,
        backbone="timm_model",
        architecture={
            "name": Choice(values=names),
            "resolution": Choice(values=resolutions, ordered=True),
            "weights": Choice(values=("none", "pretrained")),
        },
        recipe=recipe,
        adaptation=adaptation,
        conditions={**conditions, **of_methods},
    )


def references() -> Iterator[Reference]:
    """Every model at every resolution, fine-tuned as one would by hand."""
    return by_hand(NAMES, RESOLUTIONS)


def by_hand(names: tuple[str, ...], resolutions: tuple[int, ...]) -> Iterator[Reference]:
    """Pretrained models, all of whose weights are trained on with AdamW, at each resolution.

    What one would write down before any search: a rate of 1e-3, mild decay, smoothing, flips and crops.
    """
    recipe: dict[str, Value] = {
        "batch.size": 32, "schedule.name": "cosine", "schedule.warmup_epochs": 1, "schedule.final": 0.01,
        "optimizer.name": "adamw", f"{RATE}.adamw": 1e-3, "optimizer.weight_decay": 1e-3, "dropout.rate": 0.2,
        "label_smoothing.rate": 0.1, "mixup.alpha": 0.0, "augment.flip": 0.5, "augment.crop": 0.3,
        "augment.erase": 0.0, "ema.decay": 0.0,
    }  # fmt: skip
    adaptation: dict[str, Value] = {
        "method": "full", "full.layer_decay": 1.0, "full.head_rate": 1.0, "full.l2_sp": 0.0, "full.statistics": "own",
    }  # fmt: skip
    for resolution in resolutions:
        for name in names:
            yield Reference(
                name=f"{name} at {resolution} px, fine-tuned",
                family="pretrained, all weights trained on with AdamW",
                candidate=Candidate(
                    backbone="timm_model",
                    objective="supervised",
                    architecture={"name": name, "resolution": resolution, "weights": "pretrained"},
                    recipe=recipe,
                    adaptation=adaptation,
                ),
            )


def _recipe(batches: tuple[int, ...]) -> tuple[dict[str, Dimension], dict[str, Condition]]:
    recipe: dict[str, Dimension] = {
        "batch.size": Choice(values=batches, ordered=True),
        "schedule.name": Choice(values=("cosine",)),
        "schedule.warmup_epochs": Choice(values=(0, 1), ordered=True),
        "schedule.final": Choice(values=(0.01,)),
        "optimizer.name": Choice(values=("adamw", "sgd")),
        f"{RATE}.adamw": Real(low=1e-4, high=1e-2, levels=11, log=True),
        f"{RATE}.sgd": Real(low=3e-3, high=3e-1, levels=11, log=True),
        "optimizer.momentum.sgd": Choice(values=(0.9,)),
        "optimizer.weight_decay": Real(low=1e-6, high=1e-1, levels=6, log=True),
        "dropout.rate": Real(low=0.0, high=0.4, levels=5),
        "label_smoothing.rate": Choice(values=(0.0, 0.1), ordered=True),
        "mixup.alpha": Choice(values=(0.0, 0.1, 0.2, 0.4), ordered=True),
        "augment.flip": Choice(values=(0.0, 0.5), ordered=True),
        "augment.crop": Choice(values=(0.0, 0.3, 0.6, 0.9), ordered=True),
        "augment.erase": Choice(values=(0.0, 0.25), ordered=True),
        "ema.decay": Choice(values=(0.0, 0.97, 0.99), ordered=True),
    }
    owners = {f"{RATE}.adamw": "adamw", f"{RATE}.sgd": "sgd", "optimizer.momentum.sgd": "sgd"}
    conditions = {
        f"recipe.{address}": Condition(parent="recipe.optimizer.name", values=(name,))
        for address, name in owners.items()
    }
    return recipe, conditions


def _adaptation(knobs: Mapping[str, Dimension]) -> tuple[dict[str, Dimension], dict[str, Condition]]:
    """How pretrained weights are trained on, and when each knob is there."""
    methods = ("full", "linear", "linear_then_full", "top", "norms", "frozen_norms")
    conditions = {METHOD: Condition(parent=WEIGHTS, values=("pretrained",))}
    for address in knobs:
        owner = address.partition(".")[0]
        conditions[f"adaptation.{address}"] = Condition(parent=METHOD, values=(owner,))
    return {"method": Choice(values=methods), **knobs}, conditions

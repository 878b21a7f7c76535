"""ResNet-RS (Bello et al., 2021, https://arxiv.org/abs/2103.07579): depth, width, resolution and regularisation.

Contains timm's ``resnetrs50``, ``resnetrs101``, ``resnetrs152`` and ``resnetrs200`` at 128 to 320 pixels. The recipe's
regularisers are those whose joint choice the paper studies but for RandAugment, which ``resnet_rs_augmented`` adds with
the deeper networks; learning rates are for batches of 256 with SGD.
"""

from collections.abc import Iterator, Sequence

from spaces.batches import batches_of_256
from spaces.candidate import Candidate
from spaces.dimensions import Choice, Dimension, Integer, Real, Value
from spaces.reference import Reference
from spaces.space import Space

PLANES = (64, 128, 256, 512)
"""Inner width of each stage's blocks in the published networks."""
DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 200: (3, 24, 36, 3)}
"""Blocks of each stage by the published name."""
PUBLISHED = ((50, 160), (101, 160), (101, 192), (152, 192), (152, 224), (152, 256), (200, 256))
"""Published networks within the space, with the side of their images."""

RECIPE: dict[str, Value] = {
    "batch.size": 256,
    "schedule.name": "cosine",
    "schedule.warmup_epochs": 5,
    "schedule.final": 0.0,
    "optimizer.name": "sgd",
    "optimizer.learning_rate.sgd": 0.1,
    "optimizer.momentum.sgd": 0.9,
    "optimizer.weight_decay": 4e-5,
    "dropout.rate": 0.25,
    "stochastic_depth.rate": 0.0,
    "label_smoothing.rate": 0.1,
    "mixup.alpha": 0.0,
    "augment.erase": 0.0,
    "ema.decay": 0.9999,
}
"""The published one but for RandAugment, which the space does not have; the rate of 1.6 for 4,096 images is scaled."""


def space() -> Space:
    """The space: 6e7 architectures x 9e5 recipes."""
    architecture: dict[str, Dimension] = {
        "resolution": Integer(low=128, high=320, step=32),
        "stem_width": Choice(values=(16, 24, 32), ordered=True),
        "stem_pool": Choice(values=("conv", "max")),
        "squeeze_excite": Choice(values=(0.0, 0.125, 0.25), ordered=True),
    }
    depths = ((2, 3, 4), (3, 4, 6, 8, 12, 24), (4, 6, 12, 18, 23, 30, 36), (2, 3, 4))
    for stage, planes in enumerate(PLANES):
        architecture |= {
            f"width.{stage}": Choice(
                values=tuple(planes * eighths // 8 for eighths in (4, 5, 6, 7, 8, 10)), ordered=True
            ),
            f"depth.{stage}": Choice(values=depths[stage], ordered=True),
        }
    recipe: dict[str, Dimension] = {
        **batches_of_256(schedule="cosine", final=0.0),
        "optimizer.name": Choice(values=("sgd",)),
        "optimizer.learning_rate.sgd": Real(low=0.025, high=0.4, levels=9, log=True),
        "optimizer.momentum.sgd": Choice(values=(0.9,)),
        "optimizer.weight_decay": Choice(values=(2e-5, 4e-5, 8e-5, 1e-4), ordered=True),
        "dropout.rate": Real(low=0.0, high=0.4, levels=9),
        "stochastic_depth.rate": Real(low=0.0, high=0.2, levels=9),
        "label_smoothing.rate": Choice(values=(0.0, 0.1), ordered=True),
        "mixup.alpha": Real(low=0.0, high=0.4, levels=9),
        "augment.erase": Real(low=0.0, high=0.25, levels=6),
        "ema.decay": Choice(values=(0.0, 0.999, 0.9999), ordered=True),
    }
    return Space(name="resnet_rs", backbone="resnet", architecture=architecture, recipe=recipe)


def references() -> Iterator[Reference]:
    """The published networks that the space contains, smallest first; ResNet-RS-200 alone has stochastic depth."""
    for layers, resolution in PUBLISHED:
        yield Reference(
            name=f"ResNet-RS-{layers} at {resolution} px",
            family="ResNet-RS, published",
            candidate=Candidate(
                backbone="resnet",
                objective="supervised",
                architecture=network(DEPTHS[layers], resolution),
                recipe={**RECIPE, "stochastic_depth.rate": 0.1 if layers >= 200 else 0.0},
            ),
        )


def network(depths: Sequence[int], resolution: int) -> dict[str, Value]:
    """The published architecture with these blocks in its stages, at this side of the image."""
    architecture: dict[str, Value] = {
        "resolution": resolution,
        "stem_width": 32,
        "stem_pool": "conv",
        "squeeze_excite": 0.25,
    }
    for stage, (planes, depth) in enumerate(zip(PLANES, depths, strict=True)):
        architecture |= {f"width.{stage}": planes, f"depth.{stage}": depth}
    return architecture

"""What one would write by hand for small images: MobileNetV3- and EfficientNet-like networks, each under two recipes.

The networks are built from the blocks of space ``tiny``: a stem of stride 2 and kernels 3, 3, 5. The first kind has
squeeze-excite in its first and last stage and hard swish, as MobileNetV3-small; the second squeeze-excite everywhere
and SiLU, as EfficientNet-B0. Both lack their published models' last stages, which would be left with one pixel. Each
kind comes at every size whose resolution, width and depth are about equally far along their ranges.
"""

from collections.abc import Iterator, Mapping
from itertools import product

from spaces.candidate import Candidate
from spaces.dimensions import Value
from spaces.reference import Reference

RESOLUTIONS = (8, 12, 16, 20, 24, 28, 32)
WIDTHS = (
    ((4, 8, 8), 1, 16),
    ((4, 8, 8), 2, 16),
    ((4, 8, 8), 4, 16),
    ((8, 12, 16), 4, 32),
    ((12, 16, 24), 4, 64),
    ((16, 24, 40), 4, 128),
    ((24, 40, 64), 4, 128),
)
"""Channels of the stages, expansion of the second and third, and width of the head. At the narrowest only the expansion
is left to shrink, so that small budgets have references, too."""
DEPTHS = ((1, 1, 1), (1, 1, 2), (1, 2, 2), (1, 2, 3), (2, 3, 3))
KINDS = {
    "EfficientNet-like": ("silu", (True, True, True)),
    "MobileNetV3-like": ("hard_swish", (True, False, True)),
}
"""Activation of a kind, and which of its stages have squeeze-excite."""
APART = 0.5
"""How far resolution, width and depth may be apart, as shares of their ranges."""

OFF: dict[str, Value] = {
    "batch.size": 32,
    "schedule.name": "cosine",
    "schedule.warmup_epochs": 1,
    "schedule.final": 0.01,
    "dropout.rate": 0.0,
    "stochastic_depth.rate": 0.0,
    "mixup.alpha": 0.0,
    "label_smoothing.rate": 0.0,
    "ema.decay": 0.0,
    "augment.shift": 0.0,
    "augment.rotate_degrees": 0.0,
    "augment.erase": 0.0,
}
"""A recipe of batches, a cosine and nothing else."""
RECIPES: dict[str, dict[str, Value]] = {
    "AdamW": {
        "optimizer.name": "adamw",
        "optimizer.learning_rate.adamw": 1e-2,
        "optimizer.weight_decay": 1e-3,
    },
    "timm's defaults": {
        "optimizer.name": "sgd",
        "optimizer.learning_rate.sgd": 0.1 * 32 / 256,
        "optimizer.momentum.sgd": 0.9,
        "optimizer.weight_decay": 2e-5,
        "label_smoothing.rate": 0.1,
    },
}
"""Written by hand for short schedules, its rate the better of 3e-3 and 1e-2 on digits (docs/references.md); and the
defaults of timm's ``train.py``, whose rate is 0.1 for 256 images."""


def references() -> Iterator[Reference]:
    """Every network of both kinds under both recipes; the kind that is the strongest on small images comes first."""
    for recipe, kind in product(RECIPES, KINDS):
        for resolution, width, depth in product(range(len(RESOLUTIONS)), range(len(WIDTHS)), range(len(DEPTHS))):
            along = (resolution / (len(RESOLUTIONS) - 1), width / (len(WIDTHS) - 1), depth / (len(DEPTHS) - 1))
            if max(along) - min(along) <= APART:
                size = f"{RESOLUTIONS[resolution]}px-{_width_name(width)}-d{sum(DEPTHS[depth])}"
                yield Reference(
                    name=f"{kind} {size}, {recipe}",
                    family=f"{kind}, {recipe}",
                    candidate=Candidate(
                        backbone="mobile",
                        objective="supervised",
                        architecture=_network(kind, RESOLUTIONS[resolution], width, depth),
                        recipe={**OFF, **RECIPES[recipe]},
                    ),
                )


def _width_name(width: int) -> str:
    """``w4e2`` for 4 channels after the stem and an expansion of 2; ``w12`` for 12 and the usual 4."""
    channels, expansion, _ = WIDTHS[width]
    return f"w{channels[0]}" + ("" if expansion == 4 else f"e{expansion}")


def _network(kind: str, resolution: int, width: int, depth: int) -> Mapping[str, Value]:
    activation, squeeze_excite = KINDS[kind]
    channels, expansion, head_width = WIDTHS[width]
    architecture: dict[str, Value] = {
        "resolution": resolution,
        "stem_width": channels[0],
        "stem_stride": 2,
        "activation": activation,
        "head_expansion": 4,
        "head_width": head_width,
    }
    for stage in range(3):
        architecture |= {
            f"width.{stage}": channels[stage],
            f"depth.{stage}": DEPTHS[depth][stage],
            f"kernel.{stage}": (3, 3, 5)[stage],
            f"expansion.{stage}": (1, expansion, expansion)[stage],
            f"squeeze_excite.{stage}": squeeze_excite[stage],
            f"stride.{stage}": (1, 2, 2)[stage],
        }
    return architecture

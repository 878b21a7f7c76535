"""The ImageNet space of FBNetV3 (Dai et al., CVPR 2021, https://arxiv.org/abs/2006.02049): architecture x recipe.

What is unsure in the published tables, and what is chosen here:

* Widths, depths and resolutions are the table's ranges plus the values that only the released models A to G have
  (C, F and G were rounded to multiples of 8 or scaled up), so that all seven are members. ``PUBLISHED`` restricts the
  space to the table's ranges.
* The width of stage 7 reads 180 to 224 in the table, but D and E have 240: 180 to 240 here, plus F's and G's.
* The first and the other blocks of a stage choose their kernel and expansion independently, as the released models do;
  the size that the paper quotes (1e17 architectures) counts fewer choices. Nothing is tied between stages.
* Released models shrink some maps by padding a strided depthwise convolution by one pixel less. That is a choice here
  (``reduced_padding``) in stages 4 and 6, the only ones where it occurs.
* Learning rates are for batches of 256; 0.020 to 0.030 for RMSProp, four times that for SGD.
"""

from collections.abc import Iterator

from spaces.batches import batches_of_256
from spaces.candidate import Candidate
from spaces.dimensions import Choice, Dimension, Integer, Real, Value
from spaces.reference import Reference
from spaces.space import Condition, Space

STAGES = 7
WIDTHS: tuple[tuple[range, tuple[int, ...]], ...] = (
    (range(16, 25, 2), ()),
    (range(20, 33, 4), (40,)),
    (range(24, 49, 4), (56,)),
    (range(56, 85, 4), (88, 104)),
    (range(96, 145, 4), (160,)),
    (range(180, 225, 4), (248, 264)),
    (range(180, 241, 4), (272, 288)),
)
"""Per stage: the widths of the table, and those that only released models have."""
DEPTHS = ((1, 4), (4, 7), (4, 7), (4, 8), (6, 10), (5, 9), (1, 2))
STRIDES = (1, 2, 2, 2, 1, 2, 1)
SQUEEZE_EXCITE = (False, False, True, False, True, True, True)
SHRINKING_STAGES = (3, 5)
RESOLUTIONS = (tuple(range(224, 273, 8)), (320,))


def space() -> Space:
    """The space: 4e23 architectures x 2e7 recipes."""
    rate = "optimizer.learning_rate"
    recipe: dict[str, Dimension] = {
        **batches_of_256(schedule="exponential", final=0.0035),
        "optimizer.name": Choice(values=("rmsprop", "sgd")),
        f"{rate}.rmsprop": Real(low=0.020, high=0.030, levels=11),
        f"{rate}.sgd": Real(low=0.080, high=0.120, levels=11),
        "optimizer.weight_decay": Real(low=7e-6, high=21e-6, levels=15),
        "dropout.rate": Real(low=0.01, high=0.31, levels=31),
        "stochastic_depth.rate": Real(low=0.10, high=0.31, levels=22),
        "mixup.alpha": Real(low=0.0, high=0.41, levels=42),
        "ema.decay": Choice(values=(0.0, 0.99985), ordered=True),
    }
    conditions = {
        f"recipe.{rate}.{name}": Condition(parent="recipe.optimizer.name", values=(name,))
        for name in ("rmsprop", "sgd")
    }
    return Space(name="fbnetv3", backbone="mobile", architecture=_architecture(), recipe=recipe, conditions=conditions)


def _architecture() -> dict[str, Dimension]:
    architecture: dict[str, Dimension] = {
        "resolution": Choice(values=RESOLUTIONS[0] + RESOLUTIONS[1], ordered=True),
        "stem_width": Choice(values=(16, 18, 20, 22, 24, 32), ordered=True),
        "activation": Choice(values=("hard_swish",)),
        "head_expansion": Choice(values=(6,)),
        "head_width": Choice(values=(1984,)),
    }
    for stage in range(STAGES):
        expansion: Dimension = Integer(low=4, high=7)
        expansion_rest: Dimension = Integer(low=2, high=5)
        if stage in (0, STAGES - 1):  # one expansion in the stages at either end
            expansion = expansion_rest = Choice(values=(1 if stage == 0 else 6,))
        published, released = WIDTHS[stage]
        shrinks = (False, True) if stage in SHRINKING_STAGES else (False,)
        architecture |= {
            f"width.{stage}": Choice(values=(*published, *released), ordered=True),
            f"depth.{stage}": Integer(low=DEPTHS[stage][0], high=DEPTHS[stage][1]),
            f"kernel.{stage}": Choice(values=(3, 5), ordered=True),
            f"kernel_rest.{stage}": Choice(values=(3, 5), ordered=True),
            f"expansion.{stage}": expansion,
            f"expansion_rest.{stage}": expansion_rest,
            f"reduced_padding.{stage}": Choice(values=shrinks),
            f"stride.{stage}": Choice(values=(STRIDES[stage],)),
            f"squeeze_excite.{stage}": Choice(values=(SQUEEZE_EXCITE[stage],)),
        }
    return architecture


PUBLISHED: dict[str, tuple[Value, ...]] = {
    "architecture.resolution": RESOLUTIONS[0],
    "architecture.stem_width": (16, 18, 20, 22, 24),
    "architecture.depth.6": (1,),
    **{f"architecture.width.{stage}": tuple(widths) for stage, (widths, _) in enumerate(WIDTHS)},
    **{f"architecture.reduced_padding.{stage}": (False,) for stage in SHRINKING_STAGES},
}
"""Values of the published table, for ``Space.restrict``."""

# resolution, stem; per stage: width, depth, kernel first/rest, expansion first/rest; stages that shrink.
_RELEASED: dict[str, tuple[int, int, tuple[tuple[int, ...], ...], tuple[int, ...]]] = {
    "B": (248, 16, ((16, 2, 3, 3, 1, 1), (24, 4, 5, 5, 4, 2), (40, 5, 5, 5, 5, 3), (72, 5, 5, 3, 5, 3),
                    (120, 6, 3, 5, 5, 3), (184, 6, 3, 5, 6, 4), (224, 1, 5, 5, 6, 6)), (3, 5)),
    "C": (248, 16, ((16, 2, 3, 3, 1, 1), (24, 5, 5, 3, 5, 3), (48, 5, 5, 5, 5, 2), (88, 5, 5, 3, 4, 3),
                    (120, 6, 3, 5, 4, 3), (216, 6, 5, 5, 5, 5), (216, 1, 5, 5, 6, 6)), (3, 5)),
    "D": (248, 24, ((16, 2, 3, 3, 1, 1), (24, 6, 3, 3, 5, 2), (40, 5, 5, 3, 4, 3), (72, 5, 3, 3, 5, 3),
                    (128, 7, 3, 5, 5, 3), (208, 6, 3, 5, 6, 5), (240, 1, 5, 5, 6, 6)), ()),
    "E": (264, 24, ((16, 3, 3, 3, 1, 1), (24, 5, 5, 5, 4, 2), (48, 5, 5, 5, 4, 3), (80, 5, 5, 3, 5, 3),
                    (128, 8, 3, 5, 5, 3), (216, 6, 3, 5, 6, 5), (240, 1, 5, 5, 6, 6)), (3,)),
    "F": (272, 24, ((24, 3, 3, 3, 1, 1), (32, 5, 5, 5, 4, 2), (56, 5, 5, 5, 4, 3), (88, 5, 5, 3, 5, 3),
                    (144, 9, 3, 5, 5, 3), (248, 7, 3, 5, 6, 5), (272, 1, 5, 5, 6, 6)), (5,)),
    "G": (320, 32, ((24, 3, 3, 3, 1, 1), (40, 5, 5, 5, 4, 2), (56, 5, 5, 5, 4, 3), (104, 5, 5, 3, 5, 3),
                    (160, 9, 3, 5, 5, 3), (264, 7, 3, 5, 6, 5), (288, 2, 5, 5, 6, 6)), ()),
}  # fmt: skip
_RELEASED["A"] = (224, *_RELEASED["B"][1:])  # A is B at 224 pixels

DEFAULT_RECIPE: dict[str, Value] = {
    "batch.size": 256,
    "schedule.name": "exponential",
    "schedule.warmup_epochs": 5,
    "schedule.final": 0.0035,
    "optimizer.name": "rmsprop",
    "optimizer.learning_rate.rmsprop": 0.02,
    "optimizer.weight_decay": 1e-5,
    "dropout.rate": 0.2,
    "stochastic_depth.rate": 0.1,
    "mixup.alpha": 0.2,
    "ema.decay": 0.99985,
}
"""A member of the recipe space near the final training that the authors describe; each model's own is not published."""


def released() -> dict[str, Candidate]:
    """The released models A to G with ``DEFAULT_RECIPE``, by letter."""
    return {letter: _released(*_RELEASED[letter]) for letter in "ABCDEFG"}


def references() -> Iterator[Reference]:
    """The released models, smallest first, with ``DEFAULT_RECIPE``."""
    for letter, candidate in released().items():
        yield Reference(name=f"FBNetV3-{letter}", family="FBNetV3, released", candidate=candidate)


def _released(
    resolution: int, stem_width: int, stages: tuple[tuple[int, ...], ...], shrinking: tuple[int, ...]
) -> Candidate:
    architecture: dict[str, Value] = {
        "resolution": resolution,
        "stem_width": stem_width,
        "activation": "hard_swish",
        "head_expansion": 6,
        "head_width": 1984,
    }
    names = ("width", "depth", "kernel", "kernel_rest", "expansion", "expansion_rest")
    for stage, row in enumerate(stages):
        architecture |= {f"{name}.{stage}": value for name, value in zip(names, row, strict=True)}
        architecture |= {
            f"reduced_padding.{stage}": stage in shrinking,
            f"stride.{stage}": STRIDES[stage],
            f"squeeze_excite.{stage}": SQUEEZE_EXCITE[stage],
        }
    return Candidate(backbone="mobile", objective="supervised", architecture=architecture, recipe=DEFAULT_RECIPE)

"""Families for images of 8 to 32 pixels, a space for each; their recipe is that of ``tiny``."""

from dataclasses import replace

from spaces import tiny
from spaces.dimensions import Choice, Dimension, ordered
from spaces.space import Condition, Space

RESOLUTION = Choice(values=(8, 12, 16, 20, 24, 28, 32), ordered=True)
RATIO = Choice(values=(2.0, 3.0, 4.0), ordered=True)


def vit() -> Space:
    """Plain transformers on patches of 2 or 4 pixels."""
    return _space(
        "vit",
        {
            "resolution": RESOLUTION,
            "patch": ordered(2, 4),
            "width": ordered(32, 48, 64, 96),  # more than the 16 patches a side: maps of tokens are told apart by that
            "depth": ordered(1, 2, 3, 4, 6),
            "head_width": ordered(8, 16),
            "mlp_ratio": RATIO,
            "pooling": Choice(values=("mean", "token")),
            "registers": ordered(0, 4),
        },
    )


def vit_of_either_attention() -> Space:
    """The same, or with reversed attention, where blocks may leave tokens out."""
    plain = vit()
    return replace(
        plain,
        architecture={
            **plain.architecture,
            "attention": Choice(values=("standard", "reversed")),
            "pruned": Choice(values=(0.0, 0.08, 0.16), ordered=True),
        },
        conditions={
            **plain.conditions,
            "architecture.pruned": Condition(parent="architecture.attention", values=("reversed",)),
        },
    )


def moat() -> Space:
    """MOATs of three stages, of which the last two may have attention."""
    return _space(
        "moat",
        {
            "resolution": RESOLUTION,
            "stem_stride": ordered(1),
            "stem_width": ordered(8, 16, 24),
            "expansion": ordered(2, 3, 4),
            "positions": Choice(values=("bias", "none")),
            **_stages("width", (8, 16, 24, 32), (32, 64), (32, 64, 96)),
            **_stages("depth", (1, 2), (1, 2, 3), (1, 2, 3)),
            **_stages("window", (0,), (0, 2, 4, 8), (0, 4)),  # the last map has up to 4 positions a side
        },
    )


def cswin() -> Space:
    """CSWins of three stages."""
    return _space(
        "cswin",
        {
            "resolution": RESOLUTION,
            "stem_stride": ordered(1, 2),
            "width": ordered(8, 16, 24, 32),
            "heads": ordered(2, 4),
            "mlp_ratio": RATIO,
            **_stages("depth", (1, 2), (1, 2, 3), (1, 2)),
            **_stages("stripe", (1, 2, 4), (1, 2, 4), (0,)),
        },
    )


def uniformer() -> Space:
    """UniFormers of three stages."""
    return _space(
        "uniformer",
        {
            "resolution": RESOLUTION,
            "stem": Choice(values=("patch", "conv")),
            "stem_stride": ordered(1, 2),
            "switch": ordered(1, 2, 3),
            "local_kernel": ordered(3, 5),
            "head_width": ordered(8, 16),
            "mlp_ratio": RATIO,
            **_stages("width", (8, 16, 24, 32), (16, 32, 48), (32, 48, 64, 96)),
            **_stages("depth", (1, 2), (1, 2, 3), (1, 2, 3)),
        },
    )


def regnet() -> Space:
    """RegNets: as many stages as the rule of their widths gives."""
    return _space(
        "regnet",
        {
            "resolution": RESOLUTION,
            "stem_stride": ordered(1, 2),
            "stem_width": ordered(8, 16),
            "depth": ordered(2, 3, 4, 6, 8),
            "w0": ordered(8, 16, 24, 32),
            "slope": Choice(values=(2.0, 4.0, 8.0, 16.0), ordered=True),
            "multiplier": Choice(values=(1.5, 2.0, 2.5), ordered=True),
            "group_width": ordered(4, 8, 16),
            "squeeze_excite": Choice(values=(0.0, 0.25), ordered=True),
        },
    )


def _stages(name: str, *values: tuple[int, ...]) -> dict[str, Dimension]:
    return {f"{name}.{stage}": ordered(*of_stage) for stage, of_stage in enumerate(values)}


def _space(backbone: str, architecture: dict[str, Dimension]) -> Space:
    recipe, conditions = tiny.recipe_of_small_images()
    return Space(
        name=f"small_{backbone}", backbone=backbone, architecture=architecture, recipe=recipe, conditions=conditions
    )

"""The networks of space ``tiny`` with every ingredient of a recipe: also resizing, a curriculum, more optimizers.

Space ``tiny`` keeps its dimensions, since the codes of stored candidates depend on them. The 8-bit optimizers need the
extra ``eightbit``; without it, restrict ``recipe.optimizer.name`` to the others.
"""

from collections.abc import Iterator
from dataclasses import replace

from spaces import tiny
from spaces.dimensions import Choice, Dimension, Real, Value
from spaces.reference import Reference
from spaces.space import Condition, Space

RATES = {"sgd_sai": (1e-2, 1.0), "lars": (1e-1, 1e1), "adamw8bit": (5e-4, 2e-2), "sgd8bit": (1e-2, 5e-1)}
"""Least and largest learning rate of each optimizer that space ``tiny`` has not."""


def space() -> Space:
    """The space: 3e10 architectures x 3e13 recipes."""
    small = tiny.space()
    names = small.recipe["optimizer.name"].values
    recipe: dict[str, Dimension] = {
        **small.recipe,
        "optimizer.name": Choice(values=(*names, *RATES)),
        **{
            f"optimizer.learning_rate.{name}": Real(low=low, high=high, levels=16, log=True)
            for name, (low, high) in RATES.items()
        },
        "optimizer.min_8bit_size": Choice(values=(256, 4096), ordered=True),
        "augment.operations": Choice(values=(0, 1, 2), ordered=True),
        "augment.magnitude": Choice(values=(3.0, 5.0, 7.0, 9.0), ordered=True),
        "augment.increasing": Choice(values=(False, True)),
        "augment.crop": Choice(values=(0.0, 0.2, 0.4), ordered=True),
        "curriculum.start": Choice(values=(1.0, 0.857, 0.714, 0.5), ordered=True),
        "preprocess.resize": Choice(values=("bilinear", "bicubic", "nearest")),
        "preprocess.normalise": Choice(values=("data", "half", "imagenet", "none")),
        "preprocess.crop": Choice(values=(1.0, 0.875), ordered=True),
    }
    owned: dict[str, tuple[str, ...]] = {f"optimizer.learning_rate.{name}": (name,) for name in RATES}
    owned["optimizer.min_8bit_size"] = ("adamw8bit", "sgd8bit")
    conditions = {
        **small.conditions,
        **{
            f"recipe.{address}": Condition(parent="recipe.optimizer.name", values=values)
            for address, values in owned.items()
        },
        "recipe.augment.magnitude": Condition(parent="recipe.augment.operations", values=(1, 2)),
        "recipe.augment.increasing": Condition(parent="recipe.augment.operations", values=(1, 2)),
    }
    return replace(small, name="every_recipe", recipe=recipe, conditions=conditions)


OFF: dict[str, Value] = {
    "augment.operations": 0, "augment.crop": 0.0, "curriculum.start": 1.0, "preprocess.resize": "bilinear",
    "preprocess.normalise": "data", "preprocess.crop": 1.0,
}  # fmt: skip
"""What recipes of space ``tiny`` do without."""


def references() -> Iterator[Reference]:
    """Those of space ``tiny``, without what that has not."""
    for reference in tiny.references():
        candidate = reference.candidate
        yield replace(reference, candidate=replace(candidate, recipe={**candidate.recipe, **OFF}))

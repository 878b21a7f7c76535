"""FBNetV3's networks and recipes with timm's augmentation of photographs, image by image, as further dimensions.

The authors train with AutoAugment, whose policies are not searched; RandAugment stands in its place. Space ``fbnetv3``
keeps its dimensions, since the codes of stored candidates depend on them.
"""

from collections.abc import Iterator
from dataclasses import replace

from spaces import fbnetv3
from spaces.dimensions import Choice, Dimension, Value
from spaces.reference import Reference
from spaces.space import Condition, Space

OPERATIONS = "photo_augment.operations"
USUAL: dict[str, Value] = {
    "photo_augment.crop": 0.92,
    "photo_augment.flip": 0.5,
    OPERATIONS: 2,
    "photo_augment.magnitude": 9,
    "photo_augment.jitter": 0.0,
    "photo_augment.erase": 0.0,
}
"""What references are trained with: random-resized crops of 8 to 100 % of the area, flips, and RandAugment at 2 x 9."""


def space() -> Space:
    """The space: 4e23 architectures x 2e9 recipes."""
    plain = fbnetv3.space()
    augmentation: dict[str, Dimension] = {
        "photo_augment.crop": Choice(values=(0.5, 0.75, 0.92), ordered=True),
        "photo_augment.flip": Choice(values=(0.5,)),
        OPERATIONS: Choice(values=(0, 1, 2), ordered=True),
        "photo_augment.magnitude": Choice(values=(3, 5, 7, 9), ordered=True),
        "photo_augment.jitter": Choice(values=(0.0, 0.4), ordered=True),
        "photo_augment.erase": Choice(values=(0.0, 0.25), ordered=True),
    }
    magnitude = Condition(parent=f"recipe.{OPERATIONS}", values=(1, 2))
    return replace(
        plain,
        name="fbnetv3_augmented",
        recipe={**plain.recipe, **augmentation},
        conditions={**plain.conditions, "recipe.photo_augment.magnitude": magnitude},
    )


def references() -> Iterator[Reference]:
    """The released models with the recipe of space ``fbnetv3`` and the usual augmentation."""
    for reference in fbnetv3.references():
        candidate = reference.candidate
        yield replace(reference, candidate=replace(candidate, recipe={**candidate.recipe, **USUAL}))

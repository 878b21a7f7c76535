"""ResNet-RS whole (Bello et al., 2021): space ``resnet_rs`` with RandAugment and the depths of ResNet-RS-270 to 420.

Contains all eleven published networks with the recipes of their released configurations. Those train for 350 epochs
(109,475 steps of 4,096 images); a magnitude of 10 or 15 is one of TensorFlow's and of timm's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from spaces import resnet_rs
from spaces.candidate import Candidate
from spaces.dimensions import Choice, Dimension, Value
from spaces.reference import Reference
from spaces.space import Condition, Space

DEPTHS = {**resnet_rs.DEPTHS, 270: (4, 29, 53, 4), 350: (4, 36, 72, 4), 420: (4, 44, 87, 4)}
"""Blocks of each stage by the published name."""
OPERATIONS = "recipe.augment.operations"


@dataclass(frozen=True, slots=True)
class Published:
    """What the released configurations have that differs from one to the other."""

    layers: int
    resolution: int
    magnitude: float
    dropout: float
    stochastic_depth: float


PUBLISHED = (
    Published(50, 160, 10.0, 0.25, 0.0),
    Published(101, 160, 10.0, 0.25, 0.0),
    Published(101, 192, 15.0, 0.25, 0.0),
    Published(152, 192, 15.0, 0.25, 0.0),
    Published(152, 224, 15.0, 0.25, 0.0),
    Published(152, 256, 15.0, 0.25, 0.0),
    Published(200, 256, 15.0, 0.25, 0.1),
    Published(270, 256, 15.0, 0.25, 0.1),
    Published(350, 256, 15.0, 0.25, 0.1),
    Published(350, 320, 15.0, 0.4, 0.1),
    Published(420, 320, 15.0, 0.4, 0.1),
)


def space() -> Space:
    """The space: 1e8 architectures x 3e7 recipes."""
    narrow = resnet_rs.space()
    architecture: dict[str, Dimension] = {
        **narrow.architecture,
        "depth.1": Choice(values=(3, 4, 6, 8, 12, 24, 29, 36, 44), ordered=True),
        "depth.2": Choice(values=(4, 6, 12, 18, 23, 30, 36, 53, 72, 87), ordered=True),
    }
    recipe: dict[str, Dimension] = {
        **narrow.recipe,
        "augment.operations": Choice(values=(0, 1, 2, 3), ordered=True),
        "augment.magnitude": Choice(values=(5.0, 7.5, 10.0, 12.5, 15.0), ordered=True),
        "augment.increasing": Choice(values=(False, True)),
    }
    applied = Condition(parent=OPERATIONS, values=(1, 2, 3))
    conditions = {"recipe.augment.magnitude": applied, "recipe.augment.increasing": applied}
    return replace(narrow, name="resnet_rs_augmented", architecture=architecture, recipe=recipe, conditions=conditions)


def references() -> Iterator[Reference]:
    """The eleven published networks with their recipes, smallest first."""
    for one in PUBLISHED:
        recipe: dict[str, Value] = {
            **resnet_rs.RECIPE,
            "dropout.rate": one.dropout,
            "stochastic_depth.rate": one.stochastic_depth,
            "augment.operations": 2,
            "augment.magnitude": one.magnitude,
            "augment.increasing": False,
        }
        yield Reference(
            name=f"ResNet-RS-{one.layers} at {one.resolution} px",
            family="ResNet-RS, published",
            candidate=Candidate(
                backbone="resnet",
                objective="supervised",
                architecture=resnet_rs.network(DEPTHS[one.layers], one.resolution),
                recipe=recipe,
            ),
        )

"""Join spaces of different backbones: the family is then a choice, and each family's dimensions depend on it."""

from collections.abc import Mapping, Sequence
from typing import Any

from spaces.dimensions import Choice, Dimension
from spaces.space import FAMILY as FAMILY
from spaces.space import JOINED, Condition, Space


def join(
    name: str,
    families: Sequence[Space],
    *,
    recipe: Mapping[str, Dimension],
    conditions: Mapping[str, Condition],
) -> Space:
    """One space of several families with a common recipe.

    The dimension ``backbone`` chooses the family; ``depth.0`` of the family ``resnet`` becomes ``resnet.depth.0`` and
    is inactive in the other families; so do the dimensions of pretraining and adaptation, since some objectives suit
    only some backbones. Its candidates are those of the families' own spaces, with the same keys.

    Args:
        name: file name of the joined space.
        families: their architectures are joined; their own recipes are left out.
        recipe, conditions: recipe dimensions by address below ``recipe``, and their conditions by full address.

    Raises:
        ValueError: fewer than two families, or two with the same backbone.
    """
    backbones = tuple(family.backbone for family in families)
    if len(backbones) < 2 or len(set(backbones)) != len(backbones):
        raise ValueError(f"a join needs at least two families of different backbones, given {', '.join(backbones)}")
    gates: dict[str, Condition] = dict(conditions)
    roles: dict[str, Any] = {role: {} for role in JOINED}
    roles["architecture"]["backbone"] = Choice(values=backbones)
    for family in families:
        for role, joined in roles.items():
            for address, dimension in getattr(family, role).items():
                joined[f"{family.backbone}.{address}"] = dimension
                own = family.conditions.get(f"{role}.{address}")
                gates[f"{role}.{family.backbone}.{address}"] = (
                    Condition(parent=FAMILY, values=(family.backbone,))
                    if own is None
                    else Condition(parent=_joined(own.parent, family.backbone), values=own.values)
                )
    return Space(name=name, backbone=backbones[0], recipe=recipe, conditions=gates, **roles)


def _joined(address: str, backbone: str) -> str:
    """A full address of a family's own space in the joined one, where the recipe is common to all."""
    role, _, below = address.partition(".")
    return address if role not in JOINED else f"{role}.{backbone}.{below}"

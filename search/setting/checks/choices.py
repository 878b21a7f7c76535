"""What a space offers: which components the values of its choices name."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from spaces import components
from spaces.candidate import NO_PRETRAINING, OWN_PICTURES
from spaces.components import ADAPTATIONS, INGREDIENTS, OBJECTIVES, PICTURES, Kind
from spaces.joined import FAMILY as FAMILY_ADDRESS
from spaces.space import Space

FAMILY = FAMILY_ADDRESS.removeprefix("architecture.")

CHOICES: Mapping[str, Mapping[str, Kind]] = {
    "pretraining": {"objective": OBJECTIVES, "source": PICTURES},
    "adaptation": {"method": ADAPTATIONS},
}
"""By role, the addresses whose values are names of components, and of which kind."""

OTHERS: Mapping[str, Kind] = {"recipe": INGREDIENTS, "pretraining": INGREDIENTS, "adaptation": ADAPTATIONS}
"""By role, the kind of what an address names that no choice names."""


def prefixes(space: Space) -> Iterator[tuple[str, str]]:
    """Backbones of the space, and what the addresses of each begin with below a role."""
    joined = FAMILY in space.architecture
    for family in map(str, space.architecture[FAMILY].values if joined else (space.backbone,)):
        yield family, f"{family}." if joined else ""


def kinds_of(space: Space, role: str, prefix: str) -> dict[str, Kind]:
    """The kind of each component that a role's choices offer, by name; with the sources that objectives have anyway."""
    kinds = {name: kind for choice, kind in CHOICES[role].items() for name in names_of(space, role, prefix + choice)}
    objectives = [name for name, kind in kinds.items() if kind is OBJECTIVES and name in components.names(kind)]
    sources = [components.constant(OBJECTIVES, name, "SOURCE") for name in objectives]
    return kinds | {source: PICTURES for source in sources if source != OWN_PICTURES}


def names_of(space: Space, role: str, address: str) -> list[str]:
    """The names that a choice offers, those of each part where they are joined."""
    return [part for value in values_of(space, role, address) for part in components.parts_of(value)]


def values_of(space: Space, role: str, address: str) -> list[str]:
    """The values that a choice offers; none where the space does not have it."""
    dimension = getattr(space, role).get(address)
    values = () if dimension is None else map(str, dimension.values)
    return [value for value in values if value not in (NO_PRETRAINING, OWN_PICTURES)]


def reads(kind: Kind, name: str) -> Callable[[str], bool]:
    """Whether a component's function has a keyword; False of all where there is no such component."""
    return components.parameters(kind, name).reads if name in components.names(kind) else lambda _: False


def together(space: Space, wanted: Mapping[str, Collection[Any]]) -> bool:
    """Whether a candidate of the space has, at every one of these full addresses, one of the values."""
    allowed: dict[str, set[Any]] = {}
    waiting = list(wanted.items())
    while waiting:
        address, values = waiting.pop()
        if address not in space.index:
            return False
        left = allowed.get(address, set(space.dimension(address).values)).intersection(values)
        if not left:
            return False
        allowed[address] = left
        if (condition := space.conditions.get(address)) is not None:
            waiting.append((condition.parent, condition.values))
    return True


def turned_on(space: Space, prefix: str, part: str, knob: str) -> dict[str, list[Any]]:
    """The values of an objective's knob, by its full address, that are not its default; no entry where it has none."""
    address = f"pretraining.{prefix}{part}.{knob}"
    changed = values_but(space, address, components.parameters(OBJECTIVES, part).defaults[knob])
    return {address: changed} if changed else {}


def values_but(space: Space, address: str, value: Any) -> list[Any]:
    """The values of a full address but one; none where the space does not have it."""
    return [one for one in (space.dimension(address).values if address in space.index else ()) if one != value]

"""Where a component can be chosen: spaces that offer it, and keys of a configuration."""

from collections.abc import Iterator
from functools import cache

from spaces import components
from spaces.candidate import AGREEMENT, ROLES, STAGES
from spaces.components import Kind
from spaces.joined import FAMILY
from spaces.space import Space

ALWAYS = {
    components.SOURCES: "data.source",
    components.LAYOUTS: "data.layout",
    components.EVALUATIONS: "search evaluate",
    components.PROTOCOLS: "search evaluate --with probes",
    components.SECTIONS: "the report",
}
"""What offers every component of a kind."""

CHOICES = {components.OBJECTIVES: "objective", components.ADAPTATIONS: "method", components.PICTURES: "source"}
"""The last word of the addresses whose values are names of a kind."""


def places(kind: Kind, name: str) -> tuple[str, ...]:
    """Names of the spaces that offer a component, and what else does; empty if nothing does."""
    return (*_keys(kind, name), *(space for space, offered in _offers().items() if (kind, name) in offered))


def _keys(kind: Kind, name: str) -> Iterator[str]:
    if kind in ALWAYS:
        yield ALWAYS[kind]
    if kind == components.OBJECTIVES and name == AGREEMENT:
        yield f"pretraining.{STAGES}"
    elif kind == components.OBJECTIVES and components.constant(kind, name, "COMPARES") is not None:
        yield "family.objective"
    if kind == components.PICTURES and name == "unlabelled_folder":
        yield "data.unlabelled"


@cache
def _offers() -> dict[str, frozenset[tuple[Kind, str]]]:
    """By the name of each space, what its dimensions name."""
    spaces = {name: components.load(components.SPACES, name).space() for name in components.names(components.SPACES)}
    return {name: frozenset(_named(space)) for name, space in spaces.items()}


def _named(space: Space) -> Iterator[tuple[Kind, str]]:
    backbones = space.dimension(FAMILY).values if FAMILY in space.addresses else (space.backbone,)
    yield from ((components.BACKBONES, str(backbone)) for backbone in backbones)
    yield components.OBJECTIVES, space.objective
    for address in space.addresses:
        role, *words = address.split(".")
        yield from ((components.INGREDIENTS, word) for word in words if role in ("recipe", "pretraining"))
        for kind, last in CHOICES.items():
            if words[-1] == last and role in ROLES:
                names = (str(value) for value in space.dimension(address).values)
                yield from ((kind, part) for name in names for part in name.split("+"))

"""Whether components take the values of their knobs that a space offers together, asked before any trial meets them.

Components refuse what they cannot do before they look at a network. So each is called with every combination of its
knobs' values that a space offers (some thousands of them, where there are more) and something in place of the network
that ends the call as soon as it is looked at.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from itertools import islice, product
from math import prod
from typing import Any, Never

import numpy as np

from search.setting.checks.choices import CHOICES, OTHERS, kinds_of, prefixes, together, values_of
from spaces import components
from spaces.candidate import WEIGHT, WEIGHTS, keywords
from spaces.components import ADAPTATIONS, INGREDIENTS, OBJECTIVES, PICTURES, Kind
from spaces.mistake import Mistake
from spaces.space import Space

MOST = 2048
"""Combinations of one component that are tried; of more, so many are drawn, which leaves out no three values together
but by a rare chance."""
GIVEN = components.OFFERED | {"teacher"}
"""What the trainer gives by keyword, where a component has no default for it."""
SHOWN = 6
"""Knobs that a sentence names at most."""

Values = Mapping[str, Any]
"""Values of knobs, by full address."""
Refused = Callable[[Values], str | None]
"""Why values are refused; None where they are not."""


def check_knobs(space: Space) -> None:
    """Every component takes all combinations of its knobs that a space offers.

    Raises:
        Mistake: one does not; the message names the fewest of its knobs that it refuses together, and its reason.
    """
    for component in _offered(space):
        if not component.knobs:
            continue
        refused, needed = _asked(component)
        for values in _combinations(space, component.knobs):
            if values and refused(values) and together(space, {one: [value] for one, value in values.items()}):
                fewest = _fewest(refused, values, needed)
                raise Mistake(_sentence(space, component, fewest, str(refused(fewest))))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Component:
    """A component whose knobs a space may have.

    Attributes:
        kind: of the component; several objectives that are joined are one.
        name: of the component.
        knobs: the keywords that addresses of the space stand for, by full address.
    """

    kind: Kind
    name: str
    knobs: Mapping[str, str]


def _offered(space: Space) -> Iterator[_Component]:
    known = {kind: components.names(kind) for kind in (OBJECTIVES, INGREDIENTS, ADAPTATIONS, PICTURES)}
    recipe = {address.partition(".")[0] for address in space.recipe}
    offered = [(INGREDIENTS, name, "recipe.") for name in sorted(recipe)]
    for _, prefix in prefixes(space):
        for role in CHOICES:
            kinds = kinds_of(space, role, prefix)
            own = [address.removeprefix(prefix) for address in getattr(space, role) if address.startswith(prefix)]
            names = sorted({address.partition(".")[0] for address in own if "." in address})
            offered += [(kinds.get(name, OTHERS[role]), name, f"{role}.{prefix}") for name in names]
        for name in values_of(space, "pretraining", f"{prefix}objective"):
            if len(components.parts_of(name)) > 1:
                yield _Component(kind=OBJECTIVES, name=name, knobs=_weights(space, f"pretraining.{prefix}", name))
    for kind, name, above in offered:
        if name in known[kind]:
            yield _Component(kind=kind, name=name, knobs=_below(space, f"{above}{name}."))


def _below(space: Space, above: str) -> dict[str, str]:
    """What follows, by full address."""
    return {address: address.removeprefix(above) for address in space.addresses if address.startswith(above)}


def _weights(space: Space, above: str, name: str) -> dict[str, str]:
    """The knobs of a joint objective that are none of its parts'."""
    own = {WEIGHTS, *(f"{WEIGHT}.{part}" for part in components.parts_of(name))}
    return {address: knob for address, knob in _below(space, above).items() if knob in own}


def _combinations(space: Space, own: Collection[str]) -> Iterator[Values]:
    """Values of some addresses that a candidate may have together, as far as conditions among them say."""
    grids = {address: list(space.dimension(address).values) for address in own}
    seen = set()
    for row in _rows(list(grids.values())):
        values = dict(zip(own, row, strict=True))
        active = {address: value for address, value in values.items() if _is_active(space, address, values)}
        if (key := tuple(active.items())) not in seen:
            seen.add(key)
            yield active


def _rows(grids: Sequence[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
    if prod(map(len, grids)) <= MOST:
        yield from product(*grids)
        return
    rng = np.random.default_rng(0)
    drawn = [rng.integers(len(grid), size=MOST) for grid in grids]
    for codes in zip(*drawn, strict=True):
        yield tuple(grid[code] for grid, code in zip(grids, codes, strict=True))


def _is_active(space: Space, address: str, values: Values) -> bool:
    """Whether the conditions of an address hold, where they are on other knobs of the component."""
    condition = space.conditions.get(address)
    if condition is None or condition.parent not in values:
        return True
    return values[condition.parent] in condition.values and _is_active(space, condition.parent, values)


class _Seen(Exception):
    """The component has taken its knobs: it looks at what it is given."""


class _UnseenType(type):
    @property
    def __dataclass_fields__(cls) -> Never:  # what ``dataclasses.replace`` asks for
        raise _Seen


class _Unseen(metaclass=_UnseenType):
    """In place of a network, a plan, images or texts: ends the call of whoever looks at it, if only at its type."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise _Seen

    def __getattr__(self, name: str) -> Never:
        raise _Seen

    def __len__(self) -> Never:
        raise _Seen

    def __iter__(self) -> Never:
        raise _Seen

    def __call__(self, *arguments: Any, **keywords: Any) -> Never:
        raise _Seen


def _asked(component: _Component) -> tuple[Refused, set[str]]:
    """What says why a component does not take values of its knobs, and addresses that it cannot be called without."""
    from trainables.joint import load  # only where knobs are tried: its import takes seconds

    kind, name = component.kind, component.name
    function = getattr(load(name) if kind is OBJECTIVES else components.load(kind, name), kind.defines)
    unseen, (_, *others) = _Unseen(), signature(function).parameters.values()
    required = {one.name for one in others if one.default is Parameter.empty and one.kind is Parameter.KEYWORD_ONLY}
    given = dict.fromkeys(required.intersection(GIVEN), unseen)

    def refused(values: Values) -> str | None:
        knobs = keywords({component.knobs[address]: value for address, value in values.items()})
        if missing := sorted(required.difference(knobs, given)):
            return f"it needs {', '.join(missing)} as well"
        try:
            function(unseen, **{**knobs, **given})
        except _Seen:
            return None
        except Exception as error:  # a component's own words for values that it cannot take
            return " ".join(str(error).split()) or type(error).__name__
        return None

    return refused, {address for address, knob in component.knobs.items() if knob.partition(".")[0] in required}


def _fewest(refused: Refused, values: Values, needed: Collection[str]) -> Values:
    """As few of the values as are refused while all other knobs have their defaults."""
    fewest = dict(values)
    for address in [one for one in values if one not in needed]:
        others = {one: value for one, value in fewest.items() if one != address}
        if others and refused(others):
            fewest = others
    return fewest


def _sentence(space: Space, component: _Component, fewest: Values, reason: str) -> str:
    named = " with ".join(f"{address} {value}" for address, value in islice(fewest.items(), SHOWN))
    folder = component.kind.package.replace(".", "/")
    return (
        f"space '{space.name}' offers {named}, which '{component.name}' of {folder}/ cannot do: {reason.rstrip('.')}. "
        f"Restrict {'one of them' if len(fewest) > 1 else 'it'} by space.restrict"
    )

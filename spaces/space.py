"""A space: the dimensions of architecture and recipe, the conditions between them, and its rows of integer codes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spaces.candidate import ROLES, Candidate
from spaces.dimensions import Choice, Dimension, Value, is_ordinal
from spaces.mistake import Mistake

INACTIVE = -1
"""Code of a dimension that its condition switches off."""

FAMILY = "architecture.backbone"
"""Address of the dimension that chooses among the backbones of a joined space."""

JOINED = ("architecture", "pretraining", "adaptation")
"""Roles whose dimensions each family of a joined space has for itself."""

Codes: TypeAlias = NDArray[np.int16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A dimension is active only where the dimension at address ``parent`` is active and has one of ``values``."""

    parent: str
    values: tuple[Value, ...]


@dataclass(frozen=True, kw_only=True)
class Space:
    """Everything that may be chosen. Candidates are rows of codes (N, D), int16, ``INACTIVE`` where switched off.

    Attributes:
        name: file name in ``spaces``.
        backbone: file name in ``trainables/backbones``; see ``spaces.joined`` for several.
        architecture: dimension of each address below ``architecture``.
        recipe: dimension of each address below ``recipe``.
        conditions: condition of each conditional dimension, by full address (``recipe.optimizer.momentum.sgd``).
        objective: file name in ``trainables/objectives``.
        pretraining, adaptation: dimensions of the two further roles of a candidate that is pretrained first.

    Raises:
        ValueError: a condition names an address or a value that does not exist, or a parent stands after its child.
    """

    name: str
    backbone: str
    architecture: Mapping[str, Dimension]
    recipe: Mapping[str, Dimension]
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    objective: str = "supervised"
    pretraining: Mapping[str, Dimension] = field(default_factory=dict)
    adaptation: Mapping[str, Dimension] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for address, condition in self.conditions.items():
            for named in (address, condition.parent):
                if named not in self.index:
                    raise ValueError(f"space '{self.name}': a condition names '{named}', which is not a dimension")
            if self.index[condition.parent] >= self.index[address]:
                raise ValueError(
                    f"space '{self.name}': '{condition.parent}' must stand before its dependant '{address}'"
                )
            unknown = set(condition.values) - set(self.dimension(condition.parent).values)
            if unknown:
                raise ValueError(
                    f"space '{self.name}': '{condition.parent}' never takes the values {sorted(map(str, unknown))}"
                )

    @cached_property
    def addresses(self) -> tuple[str, ...]:
        """Full address of every dimension, in column order: architecture, recipe, pretraining, adaptation."""
        return tuple(f"{role}.{address}" for role in ROLES for address in getattr(self, role))

    @property
    def joins_families(self) -> bool:
        """Whether the backbone is itself a dimension, as in spaces made by ``spaces.joined.join``."""
        return "backbone" in self.architecture

    @cached_property
    def dimensions(self) -> tuple[Dimension, ...]:
        return tuple(dimension for role in ROLES for dimension in getattr(self, role).values())

    @cached_property
    def index(self) -> dict[str, int]:
        """Column of each address."""
        return {address: column for column, address in enumerate(self.addresses)}

    @cached_property
    def sizes_D(self) -> NDArray[np.int64]:
        """Number of values of each dimension."""
        return np.array([len(dimension.values) for dimension in self.dimensions])

    def dimension(self, address: str) -> Dimension:
        return self.dimensions[self.index[address]]

    @cached_property
    def _gates(self) -> tuple[tuple[int, int, NDArray[np.bool_]], ...]:
        """(column, parent's column, whether each parent code opens it); index -1, the last: an inactive parent."""
        gates = []
        for column, address in enumerate(self.addresses):
            condition = self.conditions.get(address)
            if condition is not None:
                values = self.dimension(condition.parent).values
                opens = np.array([*(value in condition.values for value in values), False])
                gates.append((column, self.index[condition.parent], opens))
        return tuple(gates)

    def mask(self, codes_ND: Codes) -> Codes:
        """Switch off, in a copy, every dimension whose condition does not hold."""
        masked_ND = codes_ND.copy()
        for column, parent, opens in self._gates:
            masked_ND[~opens[masked_ND[:, parent]], column] = INACTIVE
        return masked_ND

    def complete(self, codes_ND: Codes, fill_ND: Codes) -> Codes:
        """Make members of rows whose genes were changed, in a copy.

        Dimensions that the conditions switch off become inactive; those that they switch on but that have no code yet
        take theirs from ``fill_ND``.
        """
        completed_ND = codes_ND.copy()
        for column, parent, opens in self._gates:  # parents stand before their dependants
            active_N = opens[completed_ND[:, parent]]
            code_N = completed_ND[:, column]
            completed_ND[:, column] = np.where(active_N, np.where(code_N < 0, fill_ND[:, column], code_N), INACTIVE)
        return completed_ND

    def should_be_active(self, codes_ND: Codes) -> NDArray[np.bool_]:
        """Which dimensions the conditions switch on, shape (N, D), whatever the codes of the dependants are."""
        active_ND = np.ones(codes_ND.shape, dtype=bool)
        for column, parent, opens in self._gates:
            active_ND[:, column] = active_ND[:, parent] & opens[codes_ND[:, parent]]
        return active_ND

    def contains(self, codes_ND: Codes) -> NDArray[np.bool_]:
        """Whether each row is a member: codes in range, inactive exactly where the conditions say so."""
        if codes_ND.ndim != 2 or codes_ND.shape[1] != len(self.dimensions):
            raise ValueError(
                f"space '{self.name}' has {len(self.dimensions)} dimensions, given codes of shape {codes_ND.shape}"
            )
        in_range_ND = (codes_ND >= INACTIVE) & (codes_ND < self.sizes_D)
        inside_N = in_range_ND.all(axis=1)
        active_ND = self.should_be_active(np.where(in_range_ND, codes_ND, INACTIVE).astype(np.int16))
        agrees_N: NDArray[np.bool_] = ((codes_ND != INACTIVE) == active_ND).all(axis=1)
        return inside_N & agrees_N

    def count(self, role: str | None = None) -> int:
        """Exact number of different candidates, of architectures (``role='architecture'``) or of recipes."""
        children: dict[str, list[str]] = {}
        for address, condition in self.conditions.items():
            children.setdefault(condition.parent, []).append(address)

        def below(address: str) -> int:
            dependants = [child for child in children.get(address, []) if role is None or child.startswith(f"{role}.")]
            return sum(
                math.prod(below(child) for child in dependants if value in self.conditions[child].values)
                for value in self.dimension(address).values
            )

        roots = [address for address in self.addresses if address not in self.conditions]
        return math.prod(below(root) for root in roots if role is None or root.startswith(f"{role}."))

    def restrict(self, allowed: Mapping[str, Sequence[Value]]) -> "Space":
        """The same space with fewer values at some addresses (full addresses), e.g. one optimizer or two resolutions.

        Dimensions that can no longer be active are dropped. In a joined space an address without a family, such as
        ``pretraining.objective``, stands for that of every family that is left and has it.

        Raises:
            Mistake: an address or a value that the space does not have; the message says what comes near.
        """
        dimensions = dict(zip(self.addresses, self.dimensions, strict=True))
        for address, values in self._of_families(allowed).items():
            if address not in dimensions:
                raise Mistake(self._unknown(address))
            dimension = dimensions[address]
            unknown = [value for value in values if value not in dimension.values]
            if unknown or not values:
                raise Mistake(f"'{address}' can't take {unknown or 'no value'}; it allows {describe(dimension)}")
            remaining = tuple(value for value in dimension.values if value in values)
            dimensions[address] = Choice(values=remaining, ordered=is_ordinal(dimension))
        conditions: dict[str, Condition] = {}
        for address, condition in self.conditions.items():
            parent = dimensions.get(condition.parent)
            values = tuple(value for value in condition.values if parent is not None and value in parent.values)
            if values:
                conditions[address] = Condition(parent=condition.parent, values=values)
            else:
                del dimensions[address]

        def below(role: str) -> dict[str, Dimension]:
            return {a.removeprefix(f"{role}."): d for a, d in dimensions.items() if a.startswith(f"{role}.")}

        roles: dict[str, Any] = {role: below(role) for role in ROLES}
        return replace(self, conditions=conditions, **roles)

    def _of_families(self, allowed: Mapping[str, Sequence[Value]]) -> dict[str, Sequence[Value]]:
        """What is allowed by full address, where an address may leave out the family."""
        if not self.joins_families:
            return dict(allowed)
        families = allowed.get(FAMILY, self.dimension(FAMILY).values)
        full: dict[str, Sequence[Value]] = {}
        for address, values in allowed.items():
            own = [one for family in families if (one := _of_family(address, family)) in self.index]
            full |= dict.fromkeys(own or [address], values)
        return full

    def _unknown(self, address: str) -> str:
        """That there is no such address, and which come near."""
        near = get_close_matches(address, self.addresses, n=4, cutoff=0.5)
        those = f"; nearest are {', '.join(near)}" if near else ""
        return f"space '{self.name}' has no '{address}'{those}: 'python -m search spaces {self.name}' lists what it has"

    def extend(self, further: Mapping[str, Sequence[Value]]) -> "Space":
        """The same space with more values at some addresses, behind those that it has, whose codes stay what they are.

        What depends on a dimension's value depends on none of the new ones.

        Raises:
            Mistake: an address that the space does not have or whose values are levels, or a value that it has.
        """
        roles: dict[str, Any] = {role: dict(getattr(self, role)) for role in ROLES}
        for address, values in further.items():
            role, _, below = address.partition(".")
            if address not in self.index:
                raise Mistake(self._unknown(address))
            dimension = self.dimension(address)
            if not isinstance(dimension, Choice):
                raise Mistake(f"'{address}' goes from {describe(dimension)}; no value can be added")
            every = (*dimension.values, *values)
            if len(set(every)) < len(every):
                raise Mistake(f"'{address}' has a value of {list(values)} twice; it has {describe(dimension)}")
            kinds = {type(value) for value in every}
            if len(kinds) > 1:
                raise Mistake(f"'{address}' can't take {list(values)}: it has {describe(dimension)}, of another kind")
            roles[role][below] = Choice(values=every, ordered=dimension.ordered and list(every) == sorted(every))
        return replace(self, **roles)

    # codes <-> values --------------------------------------------------------------------------------------------

    @cached_property
    def _tables(self) -> tuple[NDArray[Any], ...]:
        return tuple(np.array(dimension.values) for dimension in self.dimensions)

    def values(self, codes_ND: Codes, role: str) -> dict[str, NDArray[Any]]:
        """Value arrays, shape (N,), by address below ``role``. An inactive dimension shows its first value."""
        prefix = f"{role}."
        return {
            address.removeprefix(prefix): self._tables[column][np.maximum(codes_ND[:, column], 0)]
            for column, address in enumerate(self.addresses)
            if address.startswith(prefix)
        }

    def decode(self, codes_ND: Codes) -> list[Candidate]:
        """The candidate of each row; inactive dimensions are left out of it."""
        return [self._candidate(row) for row in codes_ND.tolist()]

    def _candidate(self, codes: Sequence[int]) -> Candidate:
        parts: dict[str, dict[str, Value]] = {role: {} for role in ROLES}
        for address, dimension, code in zip(self.addresses, self.dimensions, codes, strict=True):
            if code != INACTIVE:
                role, _, below = address.partition(".")
                parts[role][below] = dimension.values[code]
        backbone = self.backbone
        if self.joins_families:
            backbone = str(parts["architecture"].pop("backbone"))
            for role in JOINED:
                parts[role] = {address.removeprefix(f"{backbone}."): value for address, value in parts[role].items()}
        return Candidate(backbone=backbone, objective=self.objective, **parts)

    def addressed(self, candidate: Candidate) -> dict[str, Value]:
        """A candidate's values by full address of this space."""
        backbone = candidate.backbone
        if self.joins_families:
            own = {_of_family(address, backbone): value for address, value in candidate.by_address.items()}
            return {FAMILY: backbone, **own}
        if backbone != self.backbone:
            raise Mistake(
                f"candidate {candidate.key} has the backbone '{backbone}', space '{self.name}' has '{self.backbone}'"
            )
        return candidate.by_address

    def encode(self, candidates: Sequence[Candidate]) -> Codes:
        """The codes of candidates, shape (N, D): the inverse of ``decode``.

        Raises:
            Mistake: a candidate is no member of this space; the message names the address and the value.
        """
        codes_ND = np.full((len(candidates), len(self.dimensions)), INACTIVE, dtype=np.int16)
        for row, candidate in enumerate(candidates):
            if candidate.objective != self.objective:
                raise Mistake(
                    f"candidate {candidate.key} has the objective '{candidate.objective}', space '{self.name}' has "
                    f"'{self.objective}'"
                )
            values_of = self.addressed(candidate)
            unknown = sorted(set(values_of) - set(self.addresses))
            if unknown:
                raise Mistake(f"candidate {candidate.key} has '{unknown[0]}', which space '{self.name}' does not have")
            for address, value in values_of.items():
                values = self.dimension(address).values
                if value not in values:
                    raise Mistake(
                        f"'{address}' is {value!r}; space '{self.name}' allows {describe(self.dimension(address))}"
                    )
                codes_ND[row, self.index[address]] = values.index(value)
        outside = np.flatnonzero(~self.contains(codes_ND))
        if outside.size:
            wrong = candidates[int(outside[0])]
            raise Mistake(
                f"candidate {wrong.key} lacks an active dimension of space '{self.name}' or sets an inactive one"
            )
        return codes_ND


def _of_family(address: str, family: Value) -> str:
    """What a joined space calls an address of one of its families."""
    role, _, below = address.partition(".")
    return f"{role}.{family}.{below}" if role in JOINED else address


def describe(dimension: Dimension) -> str:
    """The allowed values in a few words."""
    if isinstance(dimension, Choice):
        return ", ".join(map(str, dimension.values))
    spacing = " (logarithmic)" if dimension.log else ""
    return f"{dimension.low} to {dimension.high} in {len(dimension.values)} levels{spacing}"


def size_of(space: Space) -> str:
    """How many candidates a space has, in a few words."""
    architectures, recipes, candidates = space.count("architecture"), space.count("recipe"), space.count()
    of_both = f"{architectures:.3g} architectures x {recipes:.3g} recipes"
    if candidates == architectures * recipes:
        return of_both
    return f"{of_both}, {candidates:.3g} candidates with every pretraining and adaptation"

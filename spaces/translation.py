"""Candidates of elsewhere as members of a space: translated by address and value."""

from collections.abc import Mapping

import numpy as np

from spaces.candidate import ROLES, Candidate
from spaces.dimensions import Value, nearest_code
from spaces.mistake import Mistake
from spaces.space import INACTIVE, Codes, Space, describe


def addressed(space: Space, candidate: Candidate) -> dict[str, Value] | None:
    """A candidate's values by full address as ``space`` would name them.

    None where its scores say nothing about the space: another backbone or objective, or a stage the space lacks.
    """
    filled = [role for role in ROLES if getattr(candidate, role)]
    if candidate.objective != space.objective or not all(getattr(space, role) for role in filled):
        return None
    if not space.joins_families and candidate.backbone != space.backbone:
        return None
    return space.addressed(candidate)


def translate(space: Space, values: Mapping[str, Value], *, clip: bool = False) -> Codes | None:
    """Codes of values by full address as ``codes_of`` finds them; None where an active dimension has no such value.

    Args:
        space: of which they become a member.
        values: by full address.
        clip: whether a number beyond the levels takes the outermost one.
    """
    try:
        return _codes(space, values, clip)
    except Mistake:
        return None


def codes_of(space: Space, candidate: Candidate) -> Codes:
    """Codes of a candidate of elsewhere, shape (D,).

    A number takes the nearest level within the dimension's range; a category must be there; a dimension that the
    candidate does not mention must have a single value. Values of addresses that the space lacks are left aside.

    Raises:
        Mistake: an active dimension has no such value, or backbone, objective or stages are not the space's.
    """
    values = addressed(space, candidate)
    if values is None:
        stages = ", ".join(role for role in ROLES if getattr(candidate, role))
        raise Mistake(
            f"candidate {candidate.key} has backbone '{candidate.backbone}', objective '{candidate.objective}' and "
            f"{stages}, which space '{space.name}' does not have"
        )
    return _codes(space, values, clip=False)


def _codes(space: Space, values: Mapping[str, Value], clip: bool) -> Codes:
    codes_D = np.full(len(space.addresses), INACTIVE, dtype=np.int16)
    chosen: dict[str, Value] = {}  # parents stand before their dependants
    for column, (address, dimension) in enumerate(zip(space.addresses, space.dimensions, strict=True)):
        condition = space.conditions.get(address)
        if condition is not None and chosen.get(condition.parent) not in condition.values:
            continue
        if address in values:
            code = nearest_code(dimension, values[address], clip=clip)
        else:
            code = 0 if len(dimension.values) == 1 else None
        if code is None:
            given = repr(values[address]) if address in values else "missing"
            raise Mistake(f"'{address}' is {given}; space '{space.name}' allows {describe(dimension)}")
        codes_D[column], chosen[address] = code, dimension.values[code]
    return codes_D

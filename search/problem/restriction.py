"""A finished search asked again with some dimensions fixed: a narrower space, seen by the predictor of the wide one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from search.problem.problem import Problem
from spaces.dimensions import Value
from spaces.mistake import Mistake
from spaces.space import INACTIVE, Codes, Space, describe


@dataclass(frozen=True, kw_only=True)
class Lift:
    """Codes of a restricted space as codes of the space that it was restricted from, and back."""

    narrow: Space
    wide: Space

    @cached_property
    def _codes(self) -> dict[str, NDArray[np.int16]]:
        """Wide code of each narrow code, by address; the last item, index -1, is the inactive code."""
        return {
            address: np.array(
                [*(self.wide.dimension(address).values.index(value) for value in dimension.values), INACTIVE],
                dtype=np.int16,
            )
            for address, dimension in zip(self.narrow.addresses, self.narrow.dimensions, strict=True)
        }

    def __call__(self, codes_ND: Codes) -> Codes:
        """The same candidates in the wide space."""
        wide_ND: Codes = np.full((len(codes_ND), len(self.wide.dimensions)), INACTIVE, dtype=np.int16)
        for column, (address, wide_codes) in enumerate(self._codes.items()):
            wide_ND[:, self.wide.index[address]] = wide_codes[codes_ND[:, column]]
        return wide_ND

    def lower(self, codes_ND: Codes) -> Codes:
        """Those of the wide candidates that the narrow space has, in its codes."""
        narrow_ND: Codes = np.full((len(codes_ND), len(self.narrow.dimensions)), INACTIVE, dtype=np.int16)
        for column, (address, wide_codes) in enumerate(self._codes.items()):
            back = np.full(len(self.wide.dimension(address).values) + 1, INACTIVE, dtype=np.int16)
            back[wide_codes[:-1]] = np.arange(len(wide_codes) - 1)
            narrow_ND[:, column] = back[codes_ND[:, self.wide.index[address]]]
        inside_N = self.narrow.contains(narrow_ND)
        inside_N[inside_N] = (self(narrow_ND[inside_N]) == codes_ND[inside_N]).all(axis=1)
        return narrow_ND[inside_N]


def narrow(problem: Problem, fixed: Mapping[str, Sequence[Value]]) -> tuple[Problem, Lift]:
    """The problem in the part of its space where the dimensions take one of the given values.

    Raises:
        Mistake: an address or value that the space does not have, or a recorded pool without such a candidate.
    """
    space = problem.space.restrict(fixed)
    lift = Lift(narrow=space, wide=problem.space)
    pool = None if problem.pool is None else lift.lower(problem.pool)
    if pool is not None and not len(pool):
        raise Mistake(f"no recorded candidate has {', '.join(f'{a} in {list(v)}' for a, v in fixed.items())}")
    narrowed = replace(
        problem,
        space=space,
        costs=lambda codes_ND: problem.costs(lift(codes_ND)),
        statistics=lambda codes_ND: problem.statistics(lift(codes_ND)),
        pool=pool,
    )
    return narrowed, lift


def parse_fixed(space: Space, assignments: Sequence[str]) -> dict[str, list[Value]]:
    """``['recipe.optimizer.name=sgd']`` -> values by full address; an address given twice may take either value.

    ``recipe.optimizer`` is read as ``recipe.optimizer.name`` where only that exists.

    Raises:
        Mistake: no ``=``, or an address or value that the space does not have.
    """
    fixed: dict[str, list[Value]] = {}
    for assignment in assignments:
        address, equals, text = assignment.partition("=")
        if not equals:
            raise Mistake(f"--fix needs ADDRESS=VALUE, given '{assignment}'")
        if address not in space.index and f"{address}.name" in space.index:
            address = f"{address}.name"
        if address not in space.index:
            raise Mistake(f"space '{space.name}' has no '{address}'; it has {', '.join(space.addresses)}")
        dimension = space.dimension(address)
        matches = [value for value in dimension.values if _means(text, value)]
        if not matches:
            raise Mistake(f"'{address}' can't be '{text}'; it allows {describe(dimension)}")
        fixed.setdefault(address, []).extend(matches)
    return fixed


def _means(text: str, value: Value) -> bool:
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    if isinstance(value, int | float):
        try:
            return float(text) == value
        except ValueError:
            return False
    return text == value

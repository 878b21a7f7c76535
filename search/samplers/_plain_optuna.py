"""Between Optuna's parameters and rows of codes."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from search.problem.limits import Costs, Limits
from search.problem.problem import Problem
from search.record.distributions import distribution
from spaces.candidate import ROLES
from spaces.dimensions import Choice, Dimension, Integer, Real, Value, nearest_code
from spaces.space import INACTIVE, Codes, Condition, Space

LEVELS = (33, 100, 1000)
"""Levels of a real parameter, and of an integer one whose range is longer: the first number that is enough."""

COMBINATIONS = 1000
"""Combinations of all numbers that are enough: of a few numbers alone candidates would run out."""


@dataclass(frozen=True, kw_only=True)
class Bridge:
    """The parameters of a study and the dimensions of a space, one for one.

    Attributes:
        space: the dimensions.
        names: Optuna's parameter name of each column.
        distributions: by parameter name.
    """

    space: Space
    names: tuple[str, ...]
    distributions: Mapping[str, BaseDistribution]

    @classmethod
    def of_space(cls, space: Space) -> Self:
        """Parameters named by full address, for studies of NARS itself."""
        named = zip(space.addresses, space.dimensions, strict=True)
        return cls(
            space=space,
            names=space.addresses,
            distributions={address: distribution(dimension) for address, dimension in named},
        )

    def params(self, codes_D: Codes) -> dict[str, Value]:
        """Values of the active parameters."""
        columns = zip(self.names, self.space.dimensions, codes_D.tolist(), strict=True)
        return {name: dimension.values[code] for name, dimension, code in columns if code != INACTIVE}

    def codes(self, params: Mapping[str, Any]) -> Codes:
        """Codes of one trial's parameters, shape (D,): the nearest level of a number.

        Parameters that are not of the space, or that a condition switches off, are left out.

        Raises:
            ValueError: a parameter is missing, or has a value that is not allowed.
        """
        codes_D = np.full(len(self.names), INACTIVE, dtype=np.int16)
        for column, (name, dimension) in enumerate(zip(self.names, self.space.dimensions, strict=True)):
            if name in params:
                code = nearest_code(dimension, params[name], clip=True)
                if code is None:
                    raise ValueError(f"parameter '{name}' is {params[name]!r}; allowed are {dimension.values}")
                codes_D[column] = code
        active_1D = self.space.mask(codes_D[None])
        if not self.space.contains(active_1D)[0]:
            raise ValueError(
                f"a trial has the parameters {sorted(params)}; an active one of {list(self.names)} is left out"
            )
        row_D: Codes = active_1D[0]
        return row_D

    def settled(self, values: Mapping[str, Any]) -> Codes:
        """Codes of some parameters, shape (D,): -1 for the others and for values that are not allowed."""
        columns = zip(self.names, self.space.dimensions, strict=True)
        codes = [
            nearest_code(dimension, values[name], clip=True) if name in values else None for name, dimension in columns
        ]
        return np.array([INACTIVE if code is None else code for code in codes], dtype=np.int16)

    def problem(
        self,
        costs: Callable[[Mapping[str, NDArray[Any]]], Costs] | None,
        limits: Limits | None,
        budgets: tuple[Limits, ...],
    ) -> Problem:
        """The search problem of a plain Optuna script; see ``search.samplers.nars.Sampler.for_optuna``."""
        if costs is None and (limits is not None or budgets):
            raise ValueError("limits and budgets bound costs, so they need costs=: a function of the parameter values")
        hard = limits if limits is not None else budgets[-1] if budgets else Limits()
        space, count = self.space, _Costs(bridge=self, costs=costs)
        first_1D = np.zeros((1, len(self.names)), dtype=np.int16)
        known = () if costs is None else count(space.complete(first_1D, first_1D))
        absent = [name for one in (hard, *budgets) for name in one.bounds() if name not in known]
        if absent:
            raise ValueError(f"limits bound {absent[0]}, and costs= returns {', '.join(known)}")
        return Problem(
            space=space,
            costs=count,
            statistics=count.logarithms,
            limits=hard,
            budgets=budgets or (hard,),
            logarithms={name: column for column, name in enumerate(known)},
        )


@dataclass(frozen=True, kw_only=True)
class _Costs:
    """The costs of a script as a function of rows of codes; an object, since a sampler can be pickled."""

    bridge: Bridge
    costs: Callable[[Mapping[str, NDArray[Any]]], Costs] | None

    def __call__(self, codes_ND: Codes) -> Costs:
        if self.costs is None:
            return {"none": np.zeros(len(codes_ND))}
        space, names = self.bridge.space, dict(zip(self.bridge.space.addresses, self.bridge.names, strict=True))
        values = {names[f"{role}.{a}"]: v for role in ROLES for a, v in space.values(codes_ND, role).items()}
        costs = self.costs(values)
        _check_costs(costs, len(codes_ND))
        return costs

    def logarithms(self, codes_ND: Codes) -> NDArray[np.float64]:
        """Natural logarithm of each cost, shape (N, K)."""
        if self.costs is None:
            return np.zeros((len(codes_ND), 0))
        return np.log(np.maximum(np.stack([*self(codes_ND).values()], axis=1).astype(np.float64), 1e-12))


def _check_costs(costs: Any, count: int) -> None:
    """That a script's function gives an array of numbers for each cost.

    Raises:
        ValueError: it does not.
    """
    given = costs.items() if isinstance(costs, Mapping) else [("", costs)]
    for name, value_N in given:
        if not name or not isinstance(value_N, np.ndarray) or value_N.shape != (count,) or not _is_known(value_N):
            described = (
                f"an array {value_N.dtype} {value_N.shape}" if isinstance(value_N, np.ndarray) else repr(value_N)
            )
            raise ValueError(
                f"costs= is given arrays of {count} values and returns a dictionary of arrays of as many numbers, none "
                f"NaN, such as {{'macs': ...}}; given {f'{name!r}: ' if name else ''}{described[:80]}"
            )


def _is_known(value_N: NDArray[Any]) -> bool:
    return bool(value_N.dtype.kind in "iuf" and not np.isnan(value_N).any())


def check_declared(
    distributions: Any, roles: Any, conditions: Mapping[str, Condition], budgets: Sequence[Limits], seed: Any
) -> None:
    """That what a script declares is of the kinds that it is to be of.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(distributions, Mapping) or not isinstance(roles, Mapping):
        raise ValueError("distributions and roles are dictionaries by the name of the parameter")
    for name, declared in distributions.items():
        if not isinstance(declared, BaseDistribution):
            raise ValueError(f"parameter '{name}' is to be a distribution of Optuna's, given {declared!r}")
    for name, condition in conditions.items():
        for named in (name, condition.parent):
            if named not in distributions:
                raise ValueError(f"a condition names '{named}', which is none of {', '.join(distributions)}")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed is a whole number from 0, given {seed!r}")
    for tighter, wider in pairwise(budgets):
        for limit in fields(Limits):
            low, high = getattr(tighter, limit.name), getattr(wider, limit.name)
            if low is not None and high is not None and low > high:
                raise ValueError(f"budgets come tightest first: {limit.name} {low:g} stands before {high:g}")


def space_of(
    distributions: Mapping[str, BaseDistribution], roles: Mapping[str, str], conditions: Mapping[str, Condition]
) -> Bridge:
    """The space of Optuna distributions: grids for numbers, of ``LEVELS`` levels where they have more values.

    Raises:
        ValueError: a parameter without a role, with an unknown one, or of an unknown distribution.
    """
    wrong = [name for name in distributions if roles.get(name) not in ROLES]
    if wrong:
        raise ValueError(
            f"parameter '{wrong[0]}' needs a role, one of {', '.join(ROLES)}; given {roles.get(wrong[0])!r}"
        )
    levels = _levels(distributions)
    dimensions = {name: _dimension(name, declared, levels) for name, declared in distributions.items()}
    parts: dict[str, Any] = {role: {name: d for name, d in dimensions.items() if roles[name] == role} for role in ROLES}
    space = Space(
        name="optuna",
        backbone="optuna",
        **parts,
        conditions={
            f"{roles[name]}.{name}": Condition(parent=f"{roles[c.parent]}.{c.parent}", values=c.values)
            for name, c in conditions.items()
        },
    )
    names = tuple(address.partition(".")[2] for address in space.addresses)
    return Bridge(space=space, names=names, distributions=dict(distributions))


def _levels(distributions: Mapping[str, BaseDistribution]) -> int:
    sizes = [_size(declared) for declared in distributions.values()]
    enough = (count for count in LEVELS if math.prod(min(size, count) for size in sizes) >= COMBINATIONS)
    return next(enough, LEVELS[-1])


def _size(declared: BaseDistribution) -> float:
    """Number of different values of a number; 1 for choices, which are not made finer."""
    if not isinstance(declared, IntDistribution | FloatDistribution) or declared.single():
        return 1
    return math.inf if declared.step is None else round((declared.high - declared.low) / declared.step) + 1


def _dimension(name: str, declared: BaseDistribution, levels: int) -> Dimension:
    if declared.single() and isinstance(declared, IntDistribution | FloatDistribution):
        return Choice(values=(declared.low,), ordered=True)
    if isinstance(declared, CategoricalDistribution):
        return Choice(values=tuple(declared.choices))  # type: ignore[arg-type]
    if isinstance(declared, IntDistribution):
        if (declared.high - declared.low) // declared.step < levels:
            return Integer(low=declared.low, high=declared.high, step=declared.step, log=declared.log)
        spaced = np.geomspace if declared.log else np.linspace
        offsets = spaced(declared.low, declared.high, levels) - declared.low
        steps = np.unique(np.round(offsets / declared.step).astype(int))
        return Choice(values=tuple(int(declared.low + step * declared.step) for step in steps), ordered=True)
    if isinstance(declared, FloatDistribution):
        if declared.step is not None:
            count = round((declared.high - declared.low) / declared.step)
            steps = np.unique(np.linspace(0, count, min(count + 1, levels)).round().astype(int))
            return Choice(values=tuple(float(declared.low + step * declared.step) for step in steps), ordered=True)
        return _grid(declared, levels)
    raise ValueError(f"parameter '{name}' has a {type(declared).__name__}; known are categorical, int and float")


def _grid(declared: FloatDistribution, levels: int) -> Dimension:
    """Levels of a real number; of a range that six significant digits cannot divide as it is."""
    try:
        return Real(low=declared.low, high=declared.high, levels=levels, log=declared.log)
    except ValueError:
        exact_L = np.unique(np.linspace(declared.low, declared.high, levels))
        return Choice(values=tuple(exact_L.tolist()), ordered=True)

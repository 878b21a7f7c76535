"""Between Optuna's parameters and rows of codes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.problem.limits import Costs, Limits
from search.problem.problem import Observations, Problem
from search.record.distributions import distribution
from spaces.candidate import ROLES
from spaces.dimensions import Choice, Dimension, Integer, Real, Value, nearest_code
from spaces.space import INACTIVE, Codes, Condition, Space

LEVELS = 33
"""Levels of a real parameter, and of an integer one whose range is longer."""


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
        if not self.space.contains(codes_D[None])[0]:
            raise ValueError(
                f"a trial has the parameters {sorted(params)}; an active one of {list(self.names)} is left out"
            )
        return codes_D

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
        space, names = self.space, dict(zip(self.space.addresses, self.names, strict=True))

        def cost_arrays(codes_ND: Codes) -> Costs:
            if costs is None:
                return {"none": np.zeros(len(codes_ND))}
            values = {names[f"{role}.{a}"]: v for role in ROLES for a, v in space.values(codes_ND, role).items()}
            return costs(values)

        def statistics(codes_ND: Codes) -> NDArray[np.float64]:
            if costs is None:
                return np.zeros((len(codes_ND), 0))
            return np.log(np.maximum(np.stack([*cost_arrays(codes_ND).values()], axis=1).astype(np.float64), 1e-12))

        first_1D = np.zeros((1, len(names)), dtype=np.int16)
        known = () if costs is None else cost_arrays(space.complete(first_1D, first_1D))
        return Problem(
            space=space,
            costs=cost_arrays,
            statistics=statistics,
            limits=hard,
            budgets=budgets or (hard,),
            logarithms={name: column for column, name in enumerate(known)},
        )


def space_of(
    distributions: Mapping[str, BaseDistribution], roles: Mapping[str, str], conditions: Mapping[str, Condition]
) -> Bridge:
    """The space of Optuna distributions: grids of at most ``LEVELS`` levels for numbers.

    Raises:
        ValueError: a parameter without a role, with an unknown one, or of an unknown distribution.
    """
    wrong = [name for name in distributions if roles.get(name) not in ROLES]
    if wrong:
        raise ValueError(
            f"parameter '{wrong[0]}' needs a role, one of {', '.join(ROLES)}; given {roles.get(wrong[0])!r}"
        )
    dimensions = {name: _dimension(name, declared) for name, declared in distributions.items()}
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


def _dimension(name: str, declared: BaseDistribution) -> Dimension:
    if isinstance(declared, CategoricalDistribution):
        return Choice(values=tuple(declared.choices))  # type: ignore[arg-type]
    if isinstance(declared, IntDistribution):
        if (declared.high - declared.low) // declared.step < LEVELS:
            return Integer(low=declared.low, high=declared.high, step=declared.step, log=declared.log)
        spaced = np.geomspace if declared.log else np.linspace
        offsets = spaced(declared.low, declared.high, LEVELS) - declared.low
        steps = np.unique(np.round(offsets / declared.step).astype(int))
        return Choice(values=tuple(int(declared.low + step * declared.step) for step in steps), ordered=True)
    if isinstance(declared, FloatDistribution):
        if declared.step is not None:
            count = round((declared.high - declared.low) / declared.step)
            steps = np.unique(np.linspace(0, count, min(count + 1, LEVELS)).round().astype(int))
            return Choice(values=tuple(float(declared.low + step * declared.step) for step in steps), ordered=True)
        return Real(low=declared.low, high=declared.high, levels=LEVELS, log=declared.log)
    raise ValueError(f"parameter '{name}' has a {type(declared).__name__}; known are categorical, int and float")


def observations(study: Study, bridge: Bridge) -> Observations:
    """The finished trials of a study, by trial number; scores of a minimised study are negated."""
    sign = 1.0 if study.direction.name == "MAXIMIZE" else -1.0
    done = [t for t in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) if t.value is not None]
    return Observations(
        codes_ND=_rows(done, bridge), score_N=np.array([sign * float(t.value) for t in done if t.value is not None])
    )


def pending(study: Study, trial: FrozenTrial, bridge: Bridge) -> Codes:
    """The trials of a study that run now, but for the given one."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return _rows([other for other in running if other.number != trial.number and other.params], bridge)


def _rows(trials: list[FrozenTrial], bridge: Bridge) -> Codes:
    rows = [bridge.codes(trial.params) for trial in trials]
    return np.stack(rows) if rows else np.zeros((0, len(bridge.names)), dtype=np.int16)

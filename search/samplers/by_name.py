"""Samplers by name: the files of this folder, and Optuna's own."""

from collections.abc import Sequence
from inspect import signature
from typing import Any, Protocol

from search.problem.problem import Observations, Problem
from search.samplers import _optuna
from spaces import components
from spaces.space import Codes


class Proposer(Protocol):
    """What every sampler can do."""

    def propose(self, observed: Observations, pending_ND: Codes, n: int) -> Codes:
        """``n`` feasible candidates to train next, shape (n, D), new while new ones exist."""


def names() -> tuple[str, ...]:
    """Every sampler that ``build`` knows: the files in ``search/samplers``, then Optuna's own."""
    return (*components.names(components.SAMPLERS), *_optuna.NAMES)


def build(name: str, problem: Problem, *, seed: int, sources: Sequence[Observations] = (), **offered: Any) -> Proposer:
    """A sampler for a problem.

    Args:
        name: one of ``names()``.
        problem: what is searched.
        seed: of every random choice.
        sources: finished earlier searches; only some samplers can use them.
        offered: further options, each passed on if the sampler has a keyword of that name.

    Raises:
        UnknownComponent: no such sampler.
        ValueError: sources are given to a sampler that cannot use them.
    """
    if name not in names():
        raise components.UnknownComponent(f"there is no sampler '{name}'; there are: {', '.join(names())}")
    if sources and name != "nars":
        raise ValueError(f"the sampler '{name}' cannot use earlier searches; 'nars' can")
    if name in _optuna.NAMES:
        return _optuna.OptunaSampler(problem, name=name, seed=seed)
    sampler = components.load(components.SAMPLERS, name).Sampler
    options = {key: value for key, value in offered.items() if key in signature(sampler).parameters}
    options |= {"sources": sources} if sources else {}
    proposer: Proposer = sampler(problem, seed=seed, **options)
    return proposer

"""Hard limits on what is known before training. No candidate outside them is ever trained."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spaces.mistake import Mistake

Costs = Mapping[str, NDArray[Any]]
"""Cost arrays, shape (N,), by name: ``macs``, ``params``, ``activations``, ``latency_ms``."""


class UnreachableLimit(Mistake):
    """No candidate of the space lies within a limit; the message names the smallest value that can be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Upper bounds, each inclusive; ``None`` is no bound. Multiply-accumulates, parameters, output elements, ms."""

    max_macs: float | None = None
    max_params: float | None = None
    max_activations: float | None = None
    max_latency_ms: float | None = None

    def bounds(self) -> dict[str, float]:
        """The bounds that are set, by name of the cost."""
        named = ((field.name.removeprefix("max_"), getattr(self, field.name)) for field in fields(self))
        return {name: bound for name, bound in named if bound is not None}

    def allow(self, costs: Costs) -> NDArray[np.bool_]:
        """Whether each candidate lies within every bound, shape (N,).

        Raises:
            KeyError: a bound is set on a cost that is not given.
        """
        length = len(next(iter(costs.values())))
        allowed_N = np.ones(length, dtype=bool)
        for name, bound in self.bounds().items():
            allowed_N &= costs[name] <= bound
        return allowed_N


def unreachable(space: str, limits: Limits, smallest: Mapping[str, float], which: str) -> UnreachableLimit:
    """The mistake of limits that no candidate meets.

    Args:
        space: its name.
        limits: what was asked for.
        smallest: the smallest value of each limited cost by itself.
        which: what these values are the smallest of, for people.
    """
    bounds = limits.bounds()
    sentences = [
        f"max_{name} is {bound:,.12g}, {which} is {smallest[name]:,.12g}"
        for name, bound in bounds.items()
        if smallest[name] > bound
    ]
    if not sentences:
        alone = (
            f"max_{name} {bound:,.12g} (alone reachable from {smallest[name]:,.12g})" for name, bound in bounds.items()
        )
        sentences = [f"no candidate meets all at once: {', '.join(alone)}"]
    return UnreachableLimit(f"space '{space}' has nothing within the limits: {'; '.join(sentences)}. Raise the limit")


def describe_limits(budget: Limits) -> str:
    """A budget in words: ``macs <= 40,000,000``."""
    return " and ".join(f"{name} <= {bound:,.6g}" for name, bound in budget.bounds().items()) or "no limit"


def tighten(budget: Limits, hard: Limits) -> Limits:
    """The tighter of two limits, cost by cost."""
    bounds = hard.bounds()
    for name, bound in budget.bounds().items():
        bounds[name] = min(bound, bounds.get(name, bound))
    return Limits(**{f"max_{name}": bound for name, bound in bounds.items()})


COSTS = ("macs", "params", "activations", "latency_ms")

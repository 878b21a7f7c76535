"""Pairs of architecture and recipe that an evolution picked, as people and programs read them.

Beside each pair stands the trained trial that is most like it: a prediction is the safer, the nearer that one is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from search.console.lines import aligned
from search.evolution.evolve import Pick
from search.experiment.running import Known
from search.problem.limits import describe_limits
from search.record.trial import Trial
from search.setting.device import Device
from search.words import amount, fraction
from spaces.candidate import Candidate
from spaces.space import Codes


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """The ended trial that differs from a pick in the fewest dimensions; the better one of equals.

    Attributes:
        trial: that ended.
        score: what the trial counts for, as predictors learn it.
        changes: number of dimensions in which it differs.
    """

    trial: Trial
    score: float
    changes: int


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A pick, as a candidate of the run's space, with its neighbour."""

    pick: Pick
    candidate: Candidate
    neighbour: Neighbour


def pairs_of(picks: Sequence[Pick], codes_ND: Codes, known: Known) -> tuple[Pair, ...]:
    """The picks with their neighbours; ``codes_ND`` are theirs in the run's space."""
    candidates = known.setting.space.decode(codes_ND)
    return tuple(
        Pair(pick=pick, candidate=candidate, neighbour=neighbour(codes_D, known))
        for pick, candidate, codes_D in zip(picks, candidates, codes_ND, strict=True)
    )


def neighbour(codes_D: Codes, known: Known) -> Neighbour:
    """The ended trial that is most like a candidate."""
    changes_N = (known.observed.codes_ND != codes_D).sum(axis=1)
    row = int(np.lexsort((-known.observed.score_N, changes_N))[0])
    return Neighbour(trial=known.ended[row], score=float(known.observed.score_N[row]), changes=int(changes_N[row]))


def front(picks: Sequence[Pick], confidence: float) -> tuple[Pick, ...]:
    """The picks that no cheaper one matches; budgets ascend, so a pick must beat all before it."""
    better: list[Pick] = []
    for pick in picks:
        if not better or pick.mean - confidence * pick.std > better[-1].mean - confidence * better[-1].std:
            better.append(pick)
    return tuple(better)


def entries(pairs: Sequence[Pair], device: Device | None = None) -> list[dict[str, Any]]:
    """The pairs as JSON values; ``candidate`` is what ``candidate.json`` of a member holds."""
    latency = {"device": device.name, "relative_error": device.relative_error} if device is not None else None
    return [
        {
            "candidate": pair.candidate.to_dict(),
            "key": pair.candidate.key,
            "budget": {field.name: getattr(pair.pick.budget, field.name) for field in fields(pair.pick.budget)},
            "predicted": {
                "mean": pair.pick.mean,
                "std": pair.pick.std,
                "upper": pair.pick.upper,
                "upper_is_certain": pair.pick.certain,
                "upper_estimate": pair.pick.estimate,
            },
            "statistics": dict(pair.pick.costs),
            "latency_is_predicted_for": latency,
            "nearest_trial": {
                "number": pair.neighbour.trial.number,
                "score": pair.neighbour.score,
                "changes": pair.neighbour.changes,
            },
            "why": pair.pick.why,
        }
        for pair in pairs
    ]


def table(pairs: Sequence[Pair], name: str) -> list[str]:
    """The pairs as lines for people: a row each within 80 columns, then why each was picked."""
    bounded = {cost for pair in pairs for cost in pair.pick.budget.bounds()}
    costs = [cost for cost in pairs[0].pick.costs if cost in {"macs", "params", "latency_ms", *bounded}]
    headings = [f"{cost} (predicted)" if cost == "latency_ms" else cost for cost in costs]
    rows: list[tuple[str, ...]] = [("within", "predicted", "at most", *headings, "nearest trial")]
    for pair in pairs:
        pick = pair.pick
        rows.append(
            (
                _within(pick),
                f"{fraction(pick.mean)} ± {fraction(pick.std)}",
                _upper(pick),
                *(amount(pick.costs[cost]) for cost in costs),
                _nearest(pair.neighbour),
            )
        )
    whys = [f"{_within(pair.pick)}: {pair.pick.why}" for pair in pairs]
    return [f"pairs for {name}", *aligned(rows), "", *whys, ""]


def _within(pick: Pick) -> str:
    bounds = [f"{cost} {amount(bound)}" for cost, bound in pick.budget.bounds().items()]
    return ", ".join(bounds) or describe_limits(pick.budget)


def _nearest(near: Neighbour) -> str:
    changes = "the same" if near.changes == 0 else f"{near.changes} changes"
    return f"{near.trial.number}: {fraction(near.score)}, {changes}"


def _upper(pick: Pick) -> str:
    estimate = f"{fraction(pick.estimate)} (estimate)"
    if not pick.certain:
        return estimate
    return f"{fraction(pick.upper)} (proven)" + ("" if pick.estimate == pick.upper else f", {estimate}")

"""What an evolution gives people: pairs, the trial nearest to each, and the front among them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from search.evolution.evolve import Pick
from search.experiment.running import Known
from search.record.study import Record
from search.setting.device import Device
from spaces.space import Codes, Space

STARTS = 64
"""Best trials that the evolution starts from."""


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """The ended trial that differs from a pick in the fewest dimensions; the better one of equals."""

    record: Record
    score: float
    changes: int


def front(picks: Sequence[Pick], confidence: float) -> tuple[Pick, ...]:
    """The picks that no cheaper one matches; budgets ascend, so a pick must beat all before it."""
    kept: list[Pick] = []
    for pick in picks:
        if not kept or pick.mean - confidence * pick.std > kept[-1].mean - confidence * kept[-1].std:
            kept.append(pick)
    return tuple(kept)


def nearest(codes_D: Codes, known: Known) -> Nearest:
    """The ended trial that differs from a candidate in the fewest dimensions."""
    changes_N = (known.observed.codes_ND != codes_D).sum(axis=1)
    row = int(np.lexsort((-known.observed.score_N, changes_N))[0])
    return Nearest(record=known.ended[row], score=float(known.observed.score_N[row]), changes=int(changes_N[row]))


def entries(
    picks: Sequence[Pick], space: Space, codes_ND: Codes, nearest: Sequence[Nearest], device: Device | None = None
) -> list[dict[str, Any]]:
    """The picks as JSON values; ``candidate`` is what ``candidate.json`` of a member holds."""
    latency = {"device": device.name, "relative_error": device.relative_error} if device is not None else None
    return [
        {
            "candidate": candidate.to_dict(),
            "key": candidate.key,
            "budget": {field.name: getattr(pick.budget, field.name) for field in fields(pick.budget)},
            "predicted": {
                "mean": pick.mean,
                "std": pick.std,
                "upper": pick.upper,
                "upper_is_certain": pick.certain,
                "upper_estimate": pick.estimate,
            },
            "statistics": dict(pick.costs),
            "latency_is_predicted_for": latency,
            "nearest_trial": {"number": near.record.number, "score": near.score, "changes": near.changes},
            "why": pick.why,
        }
        for pick, candidate, near in zip(picks, space.decode(codes_ND), nearest, strict=True)
    ]

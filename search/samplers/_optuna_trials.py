"""The trials of somebody's Optuna study, as a sampler that proposes rows of codes sees them."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.problem.problem import Observations
from search.samplers._plain_optuna import Bridge
from spaces.codes import row_keys
from spaces.space import Codes

PROPOSED = "nars:proposed"
"""System attribute of a trial: what was proposed for it. Its parameters say so only once all were suggested, and an
objective that ends early never suggests the last ones."""

FIXED = "fixed_params"
"""Optuna's system attribute of a trial that ``enqueue_trial`` made."""

MOST_AT_ONCE = 64
"""Trials that may have been begun at the same moment, each unaware of what is proposed for the others."""


@dataclass(frozen=True, kw_only=True)
class Trials:
    """What a study tells the sampler.

    Attributes:
        observed: candidates with a score, by trial number, higher is better.
        others_ND: candidates without one, which are not proposed again: of trials that run, that wait, and that ended
            while there was nothing to compare them with.
        begun: trials before this one that run and whose candidates are not known yet.
    """

    observed: Observations
    others_ND: Codes
    begun: int


def known_values(trial: FrozenTrial) -> dict[str, Any]:
    """Parameters of a trial that are settled: enqueued, fixed by another sampler, or suggested already."""
    return {**trial.system_attrs.get(FIXED, {}), **trial.params}


def remember(study: Study, trial: FrozenTrial, bridge: Bridge, codes_D: Codes) -> None:
    """Write into the study what is proposed for a trial, as Optuna's internal numbers by parameter name."""
    values = bridge.params(codes_D)
    internal = {name: float(bridge.distributions[name].to_internal_repr(value)) for name, value in values.items()}
    study._storage.set_trial_system_attr(trial._trial_id, PROPOSED, internal)


class Reader:
    """Reads the trials of a study; rows of ended trials are translated once.

    A trial that lacks a parameter, has a value outside the declared range, or one that is not among the declared
    choices, is of another search: it is left out.

    Args:
        bridge: between the study's parameters and rows of codes.
    """

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._rows: dict[tuple[Any, ...], Codes | None] = {}

    def read(self, study: Study, trial: FrozenTrial) -> Trials:
        """What is known when ``trial`` begins, of all brackets where a pruner divides the study."""
        everything = study._storage.get_all_trials(study._study_id, deepcopy=False)
        trials = [other for other in everything if other.number != trial.number]
        rows = [(other, self._row(study, other)) for other in trials]
        whole = [(other, codes_D) for other, codes_D in rows if codes_D is not None]
        codes_ND = self._stacked([codes_D for _, codes_D in whole])
        sign = 1.0 if study.direction == StudyDirection.MAXIMIZE else -1.0
        score_N = scores([other for other, _ in whole], codes_ND, sign)
        scored_N = np.isfinite(score_N)
        return Trials(
            observed=Observations(codes_ND=codes_ND[scored_N], score_N=score_N[scored_N]),
            others_ND=codes_ND[~scored_N],
            begun=min(MOST_AT_ONCE, sum(_has_just_begun(other, trial) for other in trials)),
        )

    def _stacked(self, rows: list[Codes]) -> Codes:
        return np.stack(rows) if rows else np.zeros((0, len(self._bridge.names)), dtype=np.int16)

    def _row(self, study: Study, trial: FrozenTrial) -> Codes | None:
        if not trial.state.is_finished():
            return self._translated(trial)
        key = (study.study_name, trial.number, trial.datetime_start, trial.datetime_complete)
        if key not in self._rows:
            self._rows[key] = self._translated(trial)
        return self._rows[key]

    def _translated(self, trial: FrozenTrial) -> Codes | None:
        values = {**dict(self._proposed(trial)), **known_values(trial)}
        if any(not _declared(self._bridge, name, value) for name, value in values.items()):
            return None
        try:
            return self._bridge.codes(values)
        except ValueError:  # it lacks a parameter
            return None

    def _proposed(self, trial: FrozenTrial) -> Iterator[tuple[str, Any]]:
        internal: Mapping[str, float] = trial.system_attrs.get(PROPOSED, {})
        for name, number in internal.items():
            if name in self._bridge.distributions:
                yield name, self._bridge.distributions[name].to_external_repr(number)


def scores(trials: list[FrozenTrial], codes_ND: Codes, sign: float) -> NDArray[np.float64]:
    """Score of each trial, shape (N,), higher is better; NaN where there is none.

    A trial that failed, or whose value is infinite, counts as the worst of those that ended well: its candidate is
    known to be bad, not unknown; but not where the same candidate ended well in another trial. A pruned one counts as
    its last report, which is of an unfinished training: never as better than the median of those that ended well, nor
    as worse than the worst. Before two have ended well there is nothing to compare with.
    """
    score_N = np.array([_value(trial, sign) for trial in trials], dtype=np.float64)
    well_N = np.isfinite(score_N)
    if well_N.sum() < 2:
        return score_N
    worst, median = float(score_N[well_N].min()), float(np.median(score_N[well_N]))
    key_N = row_keys(codes_ND)
    alone_N = ~np.isin(key_N, key_N[well_N])
    for row, trial in enumerate(trials):
        if trial.state.is_finished() and alone_N[row]:
            report = _last_report(trial, sign) if trial.state == TrialState.PRUNED else None
            score_N[row] = worst if report is None else min(max(report, worst), median)
    return score_N


def _value(trial: FrozenTrial, sign: float) -> float:
    """The value of a trial that ended well, else NaN."""
    if trial.state != TrialState.COMPLETE or trial.value is None or not math.isfinite(trial.value):
        return math.nan
    return sign * float(trial.value)


def _last_report(trial: FrozenTrial, sign: float) -> float | None:
    finite = {step: value for step, value in trial.intermediate_values.items() if math.isfinite(value)}
    return sign * finite[max(finite)] if finite else None


def _has_just_begun(other: FrozenTrial, trial: FrozenTrial) -> bool:
    return (
        other.state == TrialState.RUNNING
        and other.number < trial.number
        and not other.params
        and PROPOSED not in other.system_attrs
    )


def _declared(bridge: Bridge, name: str, value: Any) -> bool:
    """Whether a value lies among the declared ones; parameters that are not declared say nothing."""
    if name not in bridge.distributions:
        return True
    distribution = bridge.distributions[name]
    low, high = getattr(distribution, "low", None), getattr(distribution, "high", None)
    if low is None or high is None:
        return True  # choices: ``Bridge.codes`` knows them
    return isinstance(value, int | float) and low <= value <= high

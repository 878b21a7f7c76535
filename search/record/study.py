"""The Optuna study: the single record of what happened. Resuming a run is reading it."""

import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.record.distributions import distribution
from search.record.journal import Journal
from search.record.patience import patiently
from search.record.storage import NoStudy
from search.record.trial import State, Trial
from spaces.candidate import Candidate
from spaces.space import Codes, Space
from trainables.counting.counts import Statistics
from trainables.job import Report

METRIC = "accuracy on search-validation"
"""What Optuna's pictures call a trial's score."""

STATES: Mapping[TrialState, State] = {
    TrialState.WAITING: "waiting",
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "fail",
}


class Study:
    """The record of one search. One process writes it; any number may read."""

    def __init__(self, *, name: str, storage: BaseStorage, space: Space | None, create: bool) -> None:
        """Open the study ``name``, or create it.

        Args:
            name: of the study.
            storage: where it lies.
            space: of its candidates; None to read a study whose space need not exist any more.
            create: whether it may be new.

        Raises:
            NoStudy: it does not exist and ``create`` is false.
        """
        self._space = space
        dimensions = {} if space is None else dict(zip(space.addresses, space.dimensions, strict=True))
        self._distributions = {address: distribution(dimension) for address, dimension in dimensions.items()}
        self._codes_D: dict[int, Codes] = {}
        """Of the trials that were added or read, by number."""
        try:
            opener = optuna.create_study if create else optuna.load_study
            options: dict[str, Any] = {"direction": "maximize", "load_if_exists": True} if create else {}
            self.optuna = patiently(lambda: opener(study_name=name, storage=storage, **options))
        except KeyError:
            raise NoStudy(f"there is no study '{name}' in its storage: nothing has been trained") from None
        if create and self.optuna.metric_names is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                patiently(lambda: self.optuna.set_metric_names([METRIC]))
        self._storage = self.optuna._storage
        self._study_id = self.optuna._study_id
        self._count = patiently(lambda: self._storage.get_n_trials(self._study_id))

    def add(self, trial: Trial) -> Trial:
        """Record a trial that is to run, in one write.

        Raises:
            ValueError: its number is not the next one, or the study was opened without a space.
        """
        if self._space is None:
            raise ValueError("a study that was opened without a space is only read")
        if trial.number != self._count:
            raise ValueError(f"trial {trial.number} cannot be added to a study of {self._count} trials")
        params = self._space.addressed(trial.candidate)
        template = create_trial(
            state=TrialState.WAITING,
            params=params,
            distributions={address: self._distributions[address] for address in params},
            user_attrs={
                "purpose": trial.purpose,
                "round": trial.round,
                "candidate": trial.candidate.to_dict(),
                "statistics": asdict(trial.statistics),
                "epochs": trial.epochs,
                "stop": trial.stop,
                "seed": trial.seed,
                "predicted": trial.predicted,
                **({} if trial.origin is None else {"origin": trial.origin}),
            },
        )
        tried = False

        def create() -> int:
            # A storage that went away after it had written did so without telling: there is one writer, so look.
            # Not before the first try: counting takes a storage time in proportion to its trials.
            nonlocal tried
            if tried and self._storage.get_n_trials(self._study_id) > self._count:
                return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, self._count)
            tried = True
            return self._storage.create_new_trial(self._study_id, template_trial=template)

        trial_id = patiently(create)
        self._count += 1
        self._codes_D[trial.number] = trial.codes_D
        return self._trials_of([patiently(lambda: self._storage.get_trial(trial_id))])[0]

    def start(self, number: int) -> None:
        """Record that a trial runs; it may have run before."""
        patiently(lambda: self._start(number))

    def _start(self, number: int) -> None:
        trial = self._frozen(number)
        if trial.state == TrialState.WAITING:
            self._storage.set_trial_state_values(trial._trial_id, state=TrialState.RUNNING)

    def finish(
        self, number: int, reports: tuple[Report, ...], message: str | None = None, trace: str | None = None
    ) -> Trial:
        """Record the end of a trial in one write: its curve, then its state; a finished trial always has its curve.

        Args:
            number: of the trial.
            reports: one an epoch.
            message: why it failed, if it did.
            trace: the last lines of the trace of what it failed with, if there is one.
        """
        return patiently(lambda: self._finish(number, reports, message, trace))

    def _finish(self, number: int, reports: tuple[Report, ...], message: str | None, trace: str | None) -> Trial:
        trial = self._frozen(number)
        if not trial.state.is_finished():
            backend = getattr(self._storage, "_backend", None)
            with backend.together() if isinstance(backend, Journal) else nullcontext():
                self._end(trial, reports, message, trace)
        return self._trials_of([self._frozen(number)])[0]

    def _end(self, trial: FrozenTrial, reports: tuple[Report, ...], message: str | None, trace: str | None) -> None:
        curve = [[report.epoch, report.accuracy, report.loss, report.seconds] for report in reports]
        self._storage.set_trial_user_attr(trial._trial_id, "curve", curve)
        monitors = [dict(report.monitors) for report in reports]
        if any(monitors):
            self._storage.set_trial_user_attr(trial._trial_id, "monitors", monitors)
        if message is not None:
            self._storage.set_trial_user_attr(trial._trial_id, "message", message)
            if trace is not None:
                self._storage.set_trial_user_attr(trial._trial_id, "trace", trace)
            self._storage.set_trial_state_values(trial._trial_id, state=TrialState.FAIL)
        else:
            full = len(reports) >= trial.user_attrs["epochs"]
            state = TrialState.COMPLETE if full else TrialState.PRUNED
            self._storage.set_trial_state_values(trial._trial_id, state=state, values=[reports[-1].accuracy])

    def trials(self) -> list[Trial]:
        """Every trial, by number.

        Raises:
            ValueError: a candidate is no member of the space that the study was opened with.
        """
        return self._trials_of(patiently(lambda: self.optuna.get_trials(deepcopy=False)))

    def _trials_of(self, trials: Sequence[FrozenTrial]) -> list[Trial]:
        """Optuna's trials as ours; the candidates that are met for the first time are encoded together."""
        new = [trial for trial in trials if trial.number not in self._codes_D]
        candidates = [Candidate.from_dict(trial.user_attrs["candidate"]) for trial in new]
        codes_ND = np.empty((len(new), 0), dtype=np.int16) if self._space is None else self._space.encode(candidates)
        self._codes_D.update(zip((trial.number for trial in new), codes_ND, strict=True))
        return [_trial(trial, self._codes_D[trial.number]) for trial in trials]

    def note(self, key: str, value: Any) -> None:
        """Keep a JSON value with the study."""
        patiently(lambda: self.optuna.set_user_attr(key, value))

    @property
    def notes(self) -> Mapping[str, Any]:
        """What ``note`` kept."""
        return patiently(lambda: self.optuna.user_attrs)

    def _frozen(self, number: int) -> FrozenTrial:
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
        return self._storage.get_trial(trial_id)


def _reports(attrs: Mapping[str, Any]) -> tuple[Report, ...]:
    curve = attrs.get("curve", ())
    monitors = attrs.get("monitors") or [{}] * len(curve)
    return tuple(
        Report(epoch=int(epoch), accuracy=accuracy, loss=loss, seconds=seconds, monitors=watched)
        for (epoch, accuracy, loss, seconds), watched in zip(curve, monitors, strict=True)
    )


def _trial(trial: FrozenTrial, codes_D: Codes) -> Trial:
    attrs = trial.user_attrs
    predicted = attrs.get("predicted")
    return Trial(
        number=trial.number,
        state=STATES[trial.state],
        purpose=attrs["purpose"],
        round=attrs["round"],
        candidate=Candidate.from_dict(attrs["candidate"]),
        codes_D=codes_D,
        statistics=Statistics(**attrs["statistics"]),
        epochs=attrs["epochs"],
        stop=attrs["stop"],
        seed=attrs["seed"],
        predicted=None if predicted is None else (predicted[0], predicted[1]),
        origin=attrs.get("origin"),
        reports=_reports(attrs),
        message=attrs.get("message"),
        trace=attrs.get("trace"),
        started=trial.datetime_start,
        finished=trial.datetime_complete,
    )

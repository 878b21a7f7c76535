"""The Optuna study: the single record of what happened. Resuming a run is reading it."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.executors.work import Job
from search.family.members import Epoch, TrialRecord
from search.record.distributions import distribution
from search.record.journal import Journal
from search.record.patience import patiently
from spaces.candidate import Candidate
from spaces.space import Space
from trainables.counting.statistics import Statistics
from trainables.training.trial import Report

Purpose = Literal["search", "repeat"]
STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "fail"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A trial of the study.

    Attributes:
        number: of the trial.
        state: ``WAITING``, ``RUNNING``, ``COMPLETE`` (trained in full), ``PRUNED`` (stopped early) or ``FAIL``.
        purpose: ``search`` for stage 1, ``repeat`` for a contender that is trained again with a fresh seed.
        round: of proposals, from 0.
        candidate: what was trained.
        statistics: its exact costs.
        epochs: length of its schedule.
        stop: epoch after which it was to stop.
        seed: of the training.
        predicted: mean and standard deviation predicted when it was proposed, or None.
        reports: one an epoch.
        message: why it failed.
        started: when it was first started.
        finished: when it ended.
    """

    number: int
    state: TrialState
    purpose: Purpose
    round: int
    candidate: Candidate
    statistics: Statistics
    epochs: int
    stop: int
    seed: int
    predicted: tuple[float, float] | None
    reports: tuple[Report, ...]
    message: str | None
    started: datetime | None
    finished: datetime | None

    @property
    def job(self) -> Job:
        return Job(number=self.number, candidate=self.candidate, epochs=self.epochs, stop=self.stop, seed=self.seed)

    @property
    def is_finished(self) -> bool:
        return self.state.is_finished()

    @property
    def as_trial(self) -> TrialRecord:
        """The ended trial as reports and tracking show it."""
        began = self.started or self.finished
        return TrialRecord(
            number=self.number,
            state=STATES[self.state],
            round=self.round,
            candidate=self.candidate,
            statistics=asdict(self.statistics),
            score=self.reports[-1].accuracy if self.reports and self.message is None else None,
            curve=tuple(Epoch(epoch=r.epoch, accuracy=r.accuracy, loss=r.loss) for r in self.reports),
            seconds=self.reports[-1].seconds if self.reports else 0.0,
            started=began.timestamp() if began else 0.0,
            predicted=self.predicted,
            error=self.message,
        )

    def accuracy_at(self, epoch: int) -> float | None:
        """Accuracy after ``epoch`` epochs, or after the last one if it stopped before; None without a report."""
        return self.reports[min(epoch, len(self.reports)) - 1].accuracy if self.reports else None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTrial:
    """A trial to be added to the study; see ``Record``."""

    purpose: Purpose
    round: int
    candidate: Candidate
    statistics: Statistics
    epochs: int
    stop: int
    seed: int
    predicted: tuple[float, float] | None


class Study:
    """The record of one search. One process writes it; any number may read."""

    def __init__(self, *, name: str, storage: BaseStorage, space: Space, create: bool) -> None:
        """Open the study ``name``, or create it.

        Raises:
            FileNotFoundError: it does not exist and ``create`` is false.
        """
        self._space = space
        self._distributions = {
            address: distribution(dimension)
            for address, dimension in zip(space.addresses, space.dimensions, strict=True)
        }
        try:
            opener = optuna.create_study if create else optuna.load_study
            options: dict[str, Any] = {"direction": "maximize", "load_if_exists": True} if create else {}
            self.optuna = patiently(lambda: opener(study_name=name, storage=storage, **options))
        except KeyError:
            raise FileNotFoundError(f"there is no study '{name}' in its storage") from None
        self._storage = self.optuna._storage
        self._study_id = self.optuna._study_id
        self._count = patiently(lambda: self._storage.get_n_trials(self._study_id))

    def add(self, new: NewTrial) -> Record:
        """Record a trial that is to run, in one write."""
        params = self._space.addressed(new.candidate)
        trial = create_trial(
            state=TrialState.WAITING,
            params=params,
            distributions={address: self._distributions[address] for address in params},
            user_attrs={
                "purpose": new.purpose,
                "round": new.round,
                "candidate": new.candidate.to_dict(),
                "statistics": asdict(new.statistics),
                "epochs": new.epochs,
                "stop": new.stop,
                "seed": new.seed,
                "predicted": new.predicted,
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
            return self._storage.create_new_trial(self._study_id, template_trial=trial)

        trial_id = patiently(create)
        self._count += 1
        return _record(patiently(lambda: self._storage.get_trial(trial_id)))

    def start(self, number: int) -> None:
        """Record that a trial runs; it may have run before."""
        patiently(lambda: self._start(number))

    def _start(self, number: int) -> None:
        trial = self._trial(number)
        if trial.state == TrialState.WAITING:
            self._storage.set_trial_state_values(trial._trial_id, state=TrialState.RUNNING)

    def finish(self, number: int, reports: tuple[Report, ...], message: str | None = None) -> Record:
        """Record the end of a trial in one write: its curve, then its state; a finished trial always has its curve.

        Args:
            number: of the trial.
            reports: one an epoch.
            message: why it failed, if it did.
        """
        return patiently(lambda: self._finish(number, reports, message))

    def _finish(self, number: int, reports: tuple[Report, ...], message: str | None) -> Record:
        trial = self._trial(number)
        if not trial.state.is_finished():
            backend = getattr(self._storage, "_backend", None)
            with backend.together() if isinstance(backend, Journal) else nullcontext():
                self._end(trial, reports, message)
        return _record(self._trial(number))

    def _end(self, trial: FrozenTrial, reports: tuple[Report, ...], message: str | None) -> None:
        curve = [[report.epoch, report.accuracy, report.loss, report.seconds] for report in reports]
        self._storage.set_trial_user_attr(trial._trial_id, "curve", curve)
        if message is not None:
            self._storage.set_trial_user_attr(trial._trial_id, "message", message)
            self._storage.set_trial_state_values(trial._trial_id, state=TrialState.FAIL)
        else:
            full = len(reports) >= trial.user_attrs["epochs"]
            state = TrialState.COMPLETE if full else TrialState.PRUNED
            self._storage.set_trial_state_values(trial._trial_id, state=state, values=[reports[-1].accuracy])

    def records(self) -> list[Record]:
        """Every trial, by number."""
        return [_record(trial) for trial in patiently(lambda: self.optuna.get_trials(deepcopy=False))]

    def note(self, key: str, value: Any) -> None:
        """Keep a JSON value with the study."""
        patiently(lambda: self.optuna.set_user_attr(key, value))

    @property
    def notes(self) -> Mapping[str, Any]:
        """What ``note`` kept."""
        return patiently(lambda: self.optuna.user_attrs)

    def _trial(self, number: int) -> FrozenTrial:
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
        return self._storage.get_trial(trial_id)


def _record(trial: FrozenTrial) -> Record:
    attrs = trial.user_attrs
    predicted = attrs.get("predicted")
    return Record(
        number=trial.number,
        state=trial.state,
        purpose=attrs["purpose"],
        round=attrs["round"],
        candidate=Candidate.from_dict(attrs["candidate"]),
        statistics=Statistics(**attrs["statistics"]),
        epochs=attrs["epochs"],
        stop=attrs["stop"],
        seed=attrs["seed"],
        predicted=None if predicted is None else (predicted[0], predicted[1]),
        reports=tuple(
            Report(epoch=int(epoch), accuracy=accuracy, loss=loss, seconds=seconds)
            for epoch, accuracy, loss, seconds in attrs.get("curve", ())
        ),
        message=attrs.get("message"),
        started=trial.datetime_start,
        finished=trial.datetime_complete,
    )

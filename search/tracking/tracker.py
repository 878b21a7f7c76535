"""MLflow as a view of the study: what people browse, written after the record and rebuilt from it at any time.

Entries wait in a queue on disk (``outbox.py``); ``mlflow_store.py`` writes them into MLflow, in a thread.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from search.problem.limits import Limits
from search.record.trial import Trial
from search.setting.config import Config
from search.setting.sections.data import DataSection
from search.tracking.mlflow_store import connect
from search.tracking.outbox import Entry, Outbox
from search.tracking.system_load import Sampling
from search.words import expanded, masked
from trainables.assess import Measure
from trainables.splits import Splits

FINISH_TIMEOUT_S = 60.0
"""How long the end of a run waits for everything to be sent."""


class Tracker(Protocol):
    """Where people look at a search. ``trial`` and ``round`` return at once; all may be repeated with equal content."""

    def trial(self, trial: Trial) -> None:
        """Show a trial that has ended."""

    def round(self, number: int, metrics: Mapping[str, float]) -> None:
        """Show figures of a round, such as the predictor's Kendall tau."""

    def finish(self, family: Path, report: Path) -> None:
        """Show the exported family (a folder) and the report (a file)."""

    def evaluated(
        self, number: int, member: str, evaluation: str, measures: Sequence[Measure], files: Sequence[Path]
    ) -> None:
        """Show what an evaluation said of a member, and wait until it is shown."""

    def catch_up(self, family: Path, report: Path) -> None:
        """Show what an earlier process could not show any more of a run that is finished."""

    def close(self) -> None:
        """Show nothing more; what could not be shown is kept for a later process."""


class NullTracker:
    """Shows nothing."""

    def trial(self, trial: Trial) -> None:
        pass

    def round(self, number: int, metrics: Mapping[str, float]) -> None:
        pass

    def finish(self, family: Path, report: Path) -> None:
        pass

    def evaluated(
        self, number: int, member: str, evaluation: str, measures: Sequence[Measure], files: Sequence[Path]
    ) -> None:
        pass

    def catch_up(self, family: Path, report: Path) -> None:
        pass

    def close(self) -> None:
        pass


class MlflowTracker:
    """One experiment a search, one parent run, one nested run a trial.

    The experiment and the registered model have the name of the run's folder.

    Args:
        run: the run's folder; entries wait in ``tracking`` below it.
        identity: unique for the study and the same whenever it is resumed; finds the parent run again.
        parameters: the configuration, as flat names and values; parameters of the parent run.
        uri: tracking server or store; None for ``mlflow.db`` and ``mlartifacts`` in the run's folder.
        dataset: ``name``, ``digest``, ``source`` and ``profile`` of the data, all texts; shown by the parent run.
        budgets: macs; the best member within each gets the alias ``best-BUDGET``, such as ``best-20M``.
        system_metrics_s: seconds between two records of this machine's load; None for no records.
    """

    def __init__(
        self,
        run: Path,
        *,
        identity: str,
        parameters: Mapping[str, Any],
        uri: str | None = None,
        dataset: Mapping[str, str] | None = None,
        budgets: Sequence[float] = (),
        system_metrics_s: float | None = None,
    ) -> None:
        run = run.resolve()
        store = expanded(uri) if uri else f"sqlite:///{run / 'mlflow.db'}"
        artifacts = None if uri else (run / "mlartifacts").as_uri()
        self._budgets = list(budgets)
        self._outbox = Outbox(
            run / "tracking", lambda: connect(store, run.name, artifacts, identity, parameters, dataset)
        )
        self._put = {_key(entry) for entry in self._outbox.entries()}
        self._outbox.start()
        self._sampling = None if system_metrics_s is None else Sampling(run, system_metrics_s, self._load)

    def _load(self, metrics: Mapping[str, float]) -> None:
        self._outbox.put({"kind": "system", "metrics": dict(metrics), "time": time.time()})

    def trial(self, trial: Trial) -> None:
        self._put_once({"kind": "trial", **plain(trial)})

    def round(self, number: int, metrics: Mapping[str, float]) -> None:
        known = {name: float(value) for name, value in metrics.items() if np.isfinite(value)}
        self._put_once({"kind": "round", "number": number, "metrics": known, "time": time.time()})

    def finish(self, family: Path, report: Path) -> None:
        self._stop_sampling()
        entry = {"kind": "finish", "family": str(family.resolve()), "report": str(report.resolve())}
        self._put.add(_key(entry))
        self._outbox.put({**entry, "budgets": self._budgets, "time": time.time()})
        self._send_rest()

    def evaluated(
        self, number: int, member: str, evaluation: str, measures: Sequence[Measure], files: Sequence[Path]
    ) -> None:
        known = [
            (one.metric, one.part, *words, value)
            for one in measures
            if np.isfinite(one.value)
            for *words, value in ((one.value,), ("low", one.low), ("high", one.high))
            if value is not None
        ]
        entry = {"kind": "evaluation", "number": number, "member": member, "evaluation": evaluation}
        paths = [str(path.resolve()) for path in files]
        self._outbox.put({**entry, "measures": known, "files": paths, "time": time.time()})
        self._send_rest()

    def catch_up(self, family: Path, report: Path) -> None:
        if LAST not in self._put:
            self.finish(family, report)
            return
        self._stop_sampling()
        self._send_rest()

    def close(self) -> None:
        self._stop_sampling()
        self._outbox.close()

    def _stop_sampling(self) -> None:
        if self._sampling is not None:
            self._sampling.stop()

    def _send_rest(self) -> None:
        if not self._outbox.flush(FINISH_TIMEOUT_S):
            logging.getLogger(__name__).warning("MLflow did not take everything in time; a resume sends the rest")

    def flush(self, timeout_s: float) -> bool:
        """Wait until all is sent; False if it is not by then."""
        return self._outbox.flush(timeout_s)

    def _put_once(self, entry: Entry) -> None:
        key = _key(entry)
        if key not in self._put:
            self._put.add(key)
            self._outbox.put(entry)


LAST = ("finish", None)
"""Key of the entry that ends a run."""


def is_behind(run: Path, uri: str | None) -> bool:
    """Whether MLflow lacks something of a finished run, by what is on disk; a server is not asked.

    Entries wait, the last one was never put because the process was killed before, or the run's own store is gone.

    Args:
        run: the run's folder.
        uri: of its tracking server or store, if it is not the run's own.
    """
    outbox = Outbox(run / "tracking", _never)
    gone = uri is None and not (run / "mlflow.db").exists()
    return gone or outbox.waits or LAST not in {_key(entry) for entry in outbox.entries()}


def _never() -> tuple[Callable[[Entry], None], bool]:
    raise RuntimeError("this outbox is only read")


def open_tracker(config: Config, identity: str, splits: Splits, budgets: Sequence[Limits]) -> Tracker:
    """The tracker that the configuration asks for, of which one shows nothing.

    Args:
        config: of the run.
        identity: of its study.
        splits: its data.
        budgets: of its family.
    """
    tracking = config.tracking
    if not tracking.enabled:
        return NullTracker()
    return MlflowTracker(
        config.folder,
        identity=identity,
        parameters=flat(config.model_dump(mode="json")),
        uri=tracking.uri,
        dataset=dataset_entry(config.data, splits),
        budgets=[limits.max_macs for limits in budgets if limits.max_macs is not None],
        system_metrics_s=tracking.system_metrics_s,
    )


def plain(trial: Trial) -> dict[str, Any]:
    """An ended trial as JSON; ``started`` is in seconds since 1970, so that a rebuilt view shows the same time."""
    began = trial.started or trial.finished
    return {
        "number": trial.number,
        "state": trial.state,
        "round": trial.round,
        "candidate": trial.candidate.to_dict(),
        "statistics": asdict(trial.statistics),
        "score": trial.score,
        "curve": [[report.epoch, report.accuracy, report.loss] for report in trial.reports],
        "monitors": {str(report.epoch): dict(report.monitors) for report in trial.reports if report.monitors},
        "seconds": trial.seconds,
        "started": began.timestamp() if began else 0.0,
        "predicted": trial.predicted,
        "origin": trial.origin,
        "error": trial.message,
    }


def _key(entry: Entry) -> tuple[Any, ...]:
    return (entry["kind"], entry.get("number"))


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{'a': {'b': 1}}`` -> ``{'a.b': 1}``; lists become JSON."""
    out: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            out |= flat(value, f"{name}.")
        else:
            plain = json.dumps(value) if isinstance(value, list) else value
            out[name] = masked(plain) if isinstance(plain, str) else plain
    return out


def dataset_entry(data: DataSection, splits: Splits) -> dict[str, str]:
    """What MLflow shows of the data: where it is from, a digest of labels and images, and the sizes of its parts."""
    parts = {"train": splits.train, "search-validation": splits.validation, "test": splits.test}
    digest = hashlib.sha256()
    for images in parts.values():
        digest.update(np.ascontiguousarray(images.label_N).tobytes())
        # Every image of a small source, evenly chosen ones of a large one, which may be on a disk far away.
        rows_B = np.linspace(0, len(images) - 1, min(len(images), 1000)).round().astype(np.int64)
        digest.update(np.ascontiguousarray(images.image_NCHW[rows_B]).tobytes())
    profile = {"classes": len(splits.classes), **{name: len(images) for name, images in parts.items()}}
    return {
        "name": data.source,
        "digest": digest.hexdigest()[:36],
        "source": json.dumps({"source": data.source, **data.keywords}, sort_keys=True),
        "profile": json.dumps(profile),
    }

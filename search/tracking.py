"""MLflow as a view of the study: what people browse, written after the record and rebuilt from it at any time.

The only file that imports mlflow, and only in the thread that talks to it: importing takes a second, and the first
connection to a new SQLite store runs its migrations.
"""

import logging
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from search.export import load_spec
from search.family import Member, TrialRecord, load_family
from search.outbox import Entry, Outbox, Refused
from search.system_load import Sampling
from spaces.candidate import ROLES

PARAMS_A_CALL, METRICS_A_CALL = 100, 1000
"""MLflow's limits of one ``log_batch``."""

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "1",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # the outbox tries again by itself
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


class Tracker(Protocol):
    """Where people look at a search. Calls return at once and may be repeated with the same content."""

    def trial(self, record: TrialRecord) -> None:
        """Show a trial that has ended."""

    def round(self, number: int, metrics: Mapping[str, float]) -> None:
        """Show figures of a round, such as the predictor's Kendall tau."""

    def finish(self, family: Path, report: Path) -> None:
        """Show the exported family (a folder) and the report (a file)."""

    def catch_up(self, family: Path, report: Path) -> None:
        """Show what an earlier process could not show any more of a run that is finished."""


class NullTracker:
    """Shows nothing."""

    def trial(self, record: TrialRecord) -> None:
        pass

    def round(self, number: int, metrics: Mapping[str, float]) -> None:
        pass

    def finish(self, family: Path, report: Path) -> None:
        pass

    def catch_up(self, family: Path, report: Path) -> None:
        pass


class MlflowTracker:
    """One experiment a search, one parent run, one nested run a trial.

    Args:
        run: the run's folder; entries wait in ``tracking`` below it.
        identity: unique for the study and the same whenever it is resumed; finds the parent run again.
        parameters: the configuration, as flat names and values; parameters of the parent run.
        uri: tracking server or store; ``mlflow.db`` and ``mlartifacts`` in the run's folder unless given.
        experiment: name of the experiment and of the registered model; the folder's name unless given.
        dataset: ``name``, ``digest``, ``source`` and ``profile`` of the data, all texts; shown by the parent run.
        budgets: macs; the best member within each gets the alias ``best-BUDGET``, such as ``best-20M``.
        system_metrics_s: seconds between two records of this machine's load; none are kept unless given.
        finish_timeout_s: how long ``finish`` waits for everything to be sent.
    """

    def __init__(
        self,
        run: Path,
        *,
        identity: str,
        parameters: Mapping[str, Any],
        uri: str | None = None,
        experiment: str | None = None,
        dataset: Mapping[str, str] | None = None,
        budgets: Sequence[float] = (),
        system_metrics_s: float | None = None,
        finish_timeout_s: float = 60.0,
    ) -> None:
        run = run.resolve()
        store = uri or f"sqlite:///{run / 'mlflow.db'}"
        artifacts = None if uri else (run / "mlartifacts").as_uri()
        name = experiment or run.name
        self._finish_timeout_s, self._budgets = finish_timeout_s, list(budgets)
        self._outbox = Outbox(run / "tracking", lambda: _connect(store, name, artifacts, identity, parameters, dataset))
        self._put = {_key(entry) for entry in self._outbox.entries()}
        self._outbox.start()
        self._sampling = None if system_metrics_s is None else Sampling(run, system_metrics_s, self._load)

    def _load(self, metrics: Mapping[str, float]) -> None:
        self._outbox.put({"kind": "system", "metrics": dict(metrics), "time": time.time()})

    def trial(self, record: TrialRecord) -> None:
        self._put_once({"kind": "trial", **plain(record)})

    def round(self, number: int, metrics: Mapping[str, float]) -> None:
        known = {name: float(value) for name, value in metrics.items() if np.isfinite(value)}
        self._put_once({"kind": "round", "number": number, "metrics": known, "time": time.time()})

    def finish(self, family: Path, report: Path) -> None:
        if self._sampling is not None:
            self._sampling.stop()
        entry = {"kind": "finish", "family": str(family.resolve()), "report": str(report.resolve())}
        self._put.add(_key(entry))
        self._outbox.put({**entry, "budgets": self._budgets, "time": time.time()})
        self._send_rest()

    def catch_up(self, family: Path, report: Path) -> None:
        if LAST not in self._put:
            self.finish(family, report)
            return
        if self._sampling is not None:
            self._sampling.stop()
        self._send_rest()

    def _send_rest(self) -> None:
        if not self._outbox.flush(self._finish_timeout_s):
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


def plain(record: TrialRecord) -> dict[str, Any]:
    """A trial as JSON."""
    given = {item.name: getattr(record, item.name) for item in fields(record)}
    curve = [[epoch.epoch, epoch.accuracy, epoch.loss] for epoch in record.curve]
    return {**given, "candidate": record.candidate.to_dict(), "statistics": dict(record.statistics), "curve": curve}


def _key(entry: Entry) -> tuple[Any, ...]:
    return (entry["kind"], entry.get("number"))


def _connect(
    store: str,
    name: str,
    artifacts: str | None,
    identity: str,
    parameters: Mapping[str, Any],
    dataset: Mapping[str, str] | None,
) -> tuple[Callable[[Entry], None], bool]:
    """Open the store, find or make experiment and parent run; returns how to deliver, and whether the run was known."""
    for variable, value in QUIET.items():
        os.environ.setdefault(variable, value)
    # MLflow's own deprecations, which no user can change. No catch_warnings: that is not safe in a thread.
    warnings.filterwarnings("ignore", message="The ``noload`` loader strategy")
    warnings.filterwarnings("ignore", module=r"mlflow(\.|$)")
    from mlflow.tracking import MlflowClient

    for logger in ("mlflow", "alembic"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    client = MlflowClient(tracking_uri=store, registry_uri=store)
    known = client.get_experiment_by_name(name)
    experiment = known.experiment_id if known else client.create_experiment(name, artifact_location=artifacts)
    sender = _Sender(client, experiment, name, identity)
    remembers = sender.find_parent()
    if not remembers:
        sender.create_parent(parameters, dataset)
    return sender.deliver, remembers


class _Sender:
    """Writes entries into MLflow; an entry that is there already changes nothing."""

    def __init__(self, client: Any, experiment: str, name: str, identity: str) -> None:
        self._client, self._experiment, self._name, self._identity = client, experiment, name, identity
        self._parent = ""
        self._done: set[int] = set()
        self._begun: dict[int, str] = {}

    def find_parent(self) -> bool:
        """Look up the parent run and the trials that are there; False if there is no parent run."""
        for run in self._runs():
            number = run.data.tags.get("nars_trial")
            if number is None:
                self._parent = run.info.run_id
            elif run.info.status == "RUNNING":
                self._begun[int(number)] = run.info.run_id
            else:
                self._done.add(int(number))
        return bool(self._parent)

    def _runs(self) -> list[Any]:
        found: list[Any] = []
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment], f"tags.nars_run = '{self._identity}'", max_results=1000, page_token=token
            )
            found += page
            token = page.token
            if not token:
                return found

    def create_parent(self, parameters: Mapping[str, Any], dataset: Mapping[str, str] | None) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        run = self._client.create_run(self._experiment, run_name=self._name, tags={"nars_run": self._identity})
        self._parent = run.info.run_id
        self._log(self._parent, parameters, [])
        if dataset is not None:
            entry = Dataset(source_type="nars", **dataset)
            tag = InputTag("mlflow.data.context", "search")
            self._client.log_inputs(self._parent, datasets=[DatasetInput(entry, tags=[tag])])

    def deliver(self, entry: Entry) -> None:
        from mlflow.exceptions import MlflowException

        handlers = {"trial": self._trial, "round": self._round, "system": self._system, "finish": self._finish}
        try:
            handlers[entry["kind"]](entry)
        except MlflowException as error:
            if error.error_code in {"INVALID_PARAMETER_VALUE", "BAD_REQUEST"}:
                raise Refused(str(error)) from error
            raise

    def _trial(self, entry: Entry) -> None:
        number = int(entry["number"])
        if number in self._done:
            return
        started, seconds = float(entry["started"]), float(entry["seconds"])
        run_id = self._begun.get(number) or self._begin(number, started, entry)
        candidate = entry["candidate"]
        params = {f"{role}.{key}": value for role in ROLES for key, value in candidate.get(role, {}).items()}
        # Times follow from the entry alone, so that writing it twice writes the same rows.
        ended = started + seconds
        metrics = [(name, value, ended, 0) for name, value in entry["statistics"].items()]
        if entry["score"] is not None:
            metrics.append(("score", entry["score"], ended, 0))
        if entry["predicted"] is not None:
            metrics += [
                ("predicted_mean", entry["predicted"][0], ended, 0),
                ("predicted_std", entry["predicted"][1], ended, 0),
            ]
        for position, (epoch, accuracy, loss) in enumerate(entry["curve"], start=1):
            when = started + seconds * position / len(entry["curve"])
            metrics += [("accuracy", accuracy, when, epoch), ("loss", loss, when, epoch)]
        self._log(run_id, params, [*metrics, ("seconds", seconds, ended, 0)])
        status = "FAILED" if entry["state"] == "fail" else "FINISHED"
        self._client.set_terminated(run_id, status, end_time=_milliseconds(ended))
        self._done.add(number)

    def _begin(self, number: int, started: float, entry: Entry) -> str:
        tags = {
            "mlflow.parentRunId": self._parent,
            "nars_run": self._identity,
            "nars_trial": str(number),
            "state": entry["state"],
            "round": str(entry["round"]),
        }
        if entry["error"]:
            tags["error"] = entry["error"][:5000]
        run = self._client.create_run(
            self._experiment, start_time=_milliseconds(started), run_name=f"trial-{number:04d}", tags=tags
        )
        run_id: str = run.info.run_id
        self._begun[number] = run_id
        return run_id

    def _log(self, run_id: str, params: Mapping[str, Any], metrics: list[tuple[str, float, float, int]]) -> None:
        from mlflow.entities import Metric, Param

        given = [Param(key, str(value)) for key, value in params.items()]
        points = [Metric(key, float(value), _milliseconds(when), step) for key, value, when, step in metrics]
        # One call where both fit, which is all but the largest spaces and longest curves.
        for first in range(0, max(len(given), 1), PARAMS_A_CALL):
            params_now = given[first : first + PARAMS_A_CALL]
            points_now, points = points[: METRICS_A_CALL - len(params_now)], points[METRICS_A_CALL - len(params_now) :]
            self._client.log_batch(run_id, params=params_now, metrics=points_now)
        for first in range(0, len(points), METRICS_A_CALL):
            self._client.log_batch(run_id, metrics=points[first : first + METRICS_A_CALL])

    def _round(self, entry: Entry) -> None:
        metrics = [(name, value, entry["time"], entry["number"]) for name, value in entry["metrics"].items()]
        self._log(self._parent, {}, metrics)

    def _system(self, entry: Entry) -> None:
        # The step is the second: an entry that comes again writes the same row.
        step = int(entry["time"])
        self._log(self._parent, {}, [(name, value, entry["time"], step) for name, value in entry["metrics"].items()])

    def _finish(self, entry: Entry) -> None:
        folder, report = Path(entry["family"]), Path(entry["report"])
        missing = [str(path) for path in (folder / "family.json", report) if not path.is_file()]
        if missing:
            raise Refused(f"{missing[0]} does not exist any more")
        self._client.log_artifact(self._parent, str(report))
        self._client.log_artifacts(self._parent, str(folder), "family")
        family = load_family(folder)
        versions = {member: self._register(member, folder / member.name) for member in family.members}
        for budget in entry["budgets"]:
            within = [member for member in family.members if member.macs <= budget]
            if within:
                best = max(within, key=lambda member: member.search_accuracy)
                self._client.set_registered_model_alias(self._name, f"best-{short(round(budget))}", versions[best])
        for name in ("macs", "params", "search_accuracy", "test_accuracy"):
            values = [(getattr(member, name), step) for step, member in enumerate(family.members, start=1)]
            self._log(
                self._parent, {}, [(f"family_{name}", v, entry["time"], step) for v, step in values if v is not None]
            )
        self._client.set_terminated(self._parent, "FINISHED", end_time=_milliseconds(entry["time"]))

    def _register(self, member: Member, folder: Path) -> str:
        """A version of the registered model for the member's ONNX file, with the alias of its size."""
        source = f"{self._client.get_run(self._parent).info.artifact_uri}/models/{member.name}"
        with tempfile.TemporaryDirectory() as temporary:
            save_model(folder, Path(temporary) / "model")
            self._client.log_artifacts(self._parent, str(Path(temporary) / "model"), f"models/{member.name}")
        if not self._client.search_registered_models(f"name = '{self._name}'"):
            self._client.create_registered_model(self._name)
        versions = self._client.search_model_versions(f"name = '{self._name}' and run_id = '{self._parent}'")
        same = [version for version in versions if version.tags.get("member") == member.name]
        version = (
            same[0]
            if same
            else self._client.create_model_version(
                self._name, source=source, run_id=self._parent, tags={"member": member.name, "macs": str(member.macs)}
            )
        )
        number = str(version.version)
        self._client.set_registered_model_alias(self._name, f"best-{short(member.macs)}", number)
        return number


def save_model(folder: Path, target: Path) -> None:
    """Write an exported member as an MLflow model (flavour ``onnx``) with its signature and an example."""
    import mlflow.onnx
    import onnx
    from mlflow.models.signature import ModelSignature
    from mlflow.types.schema import Schema, TensorSpec

    spec, _ = load_spec(folder)
    image = (spec.channels, spec.size, spec.size)
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.float32), (-1, *image), name="image")]),
        outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, len(spec.classes)), name="logits")]),
    )
    mlflow.onnx.save_model(
        onnx.load(folder / "model.onnx"),
        str(target),
        signature=signature,
        input_example={"image": np.zeros((1, *image), dtype=np.float32)},
        pip_requirements=["onnxruntime", "onnx", "numpy"],  # given, or MLflow starts a process to find out
        save_as_external_data=False,
    )


def short(macs: int) -> str:
    """A count in three digits and a letter: ``312k``, ``20M``, ``1_5G`` (aliases allow no point)."""
    for power, letter in ((9, "G"), (6, "M"), (3, "k")):
        if macs >= 10**power:
            return f"{macs / 10**power:.3g}{letter}".replace(".", "_")
    return str(macs)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)

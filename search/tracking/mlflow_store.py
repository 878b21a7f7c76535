"""Writing a queue's entries into MLflow: one experiment a search, one parent run, one nested run a trial.

The only file that imports mlflow, and only in the thread that talks to it: importing takes a second, and the first
connection to a new SQLite store runs its migrations.
"""

import logging
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from search.family.folder import load_spec
from search.family.members import Family, Member, load_family
from search.files import DamagedFiles, check_sums
from search.tracking.outbox import Entry, Refused
from search.tracking.store_file import is_broken, made_whole, set_aside
from search.words import amount
from spaces.candidate import ROLES

PARAMS_A_CALL, METRICS_A_CALL = 100, 1000
"""MLflow's limits of one ``log_batch``."""

KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Of an experiment whose page opens on training runs, not on traces of language models."""

OWN = "sqlite:///"
log = logging.getLogger(__name__)

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "1",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # the outbox tries again by itself
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


def connect(
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
    if store.startswith(OWN):
        _prepare(Path(store.removeprefix(OWN)))
    client = MlflowClient(tracking_uri=store, registry_uri=store)
    known = client.get_experiment_by_name(name)
    if known:
        experiment = known.experiment_id
    else:
        experiment = client.create_experiment(name, artifact_location=artifacts, tags=KIND)
    sender = _Sender(client, experiment, name, identity)
    remembers = sender.find_parent()
    if not remembers:
        sender.create_parent(parameters, dataset)
    return sender.deliver, remembers


def _prepare(path: Path) -> None:
    """See that a SQLite file is a store of MLflow: a broken one is set aside, and a new one appears whole."""
    from mlflow.tracking import MlflowClient

    if path.exists() and (reason := is_broken(path)):
        aside = set_aside(path)
        log.warning("'%s' is broken (%s) and now '%s'; everything is sent to a new one", path, reason, aside.name)
    if not path.exists():
        made_whole(path, lambda own: MlflowClient(tracking_uri=f"{OWN}{own}").search_experiments(max_results=1))


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
        runs: list[Any] = []
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment], f"tags.nars_run = '{self._identity}'", max_results=1000, page_token=token
            )
            runs += page
            token = page.token
            if not token:
                return runs

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

        handlers = {
            "trial": self._trial,
            "round": self._round,
            "system": self._system,
            "finish": self._finish,
            "evaluation": self._evaluation,
        }
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
            monitors = entry.get("monitors") or {}
            metrics += [(name, value, when, epoch) for name, value in monitors.get(str(epoch), {}).items()]
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
        if entry.get("origin"):
            tags["origin"] = entry["origin"]
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

        entries = [Param(key, str(value)) for key, value in params.items()]
        points = [Metric(key, float(value), _milliseconds(when), step) for key, value, when, step in metrics]
        # One call where both fit, which is all but the largest spaces and longest curves.
        for first in range(0, max(len(entries), 1), PARAMS_A_CALL):
            params_now = entries[first : first + PARAMS_A_CALL]
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
        family = load_family(folder)
        try:
            for member in family.members:
                check_sums(folder / member.name)
        except DamagedFiles as error:
            raise Refused(str(error)) from error
        self._client.log_artifact(self._parent, str(report))
        self._client.log_artifacts(self._parent, str(folder), "family")
        versions = {member: self._register(member, folder / member.name) for member in family.members}
        for budget in entry["budgets"]:
            within = [member for member in family.members if member.macs <= budget]
            if within:
                best = max(within, key=lambda member: member.search_accuracy)
                self._client.set_registered_model_alias(self._name, alias(budget), versions[best])
        for name in ("macs", "params", "search_accuracy", "test_accuracy"):
            values = [(getattr(member, name), step) for step, member in enumerate(family.members, start=1)]
            self._log(
                self._parent, {}, [(f"family_{name}", v, entry["time"], step) for v, step in values if v is not None]
            )
        self._log(self._parent, {}, _comparisons(family, entry["time"]))
        for member in family.members:
            for key, value in _facts(member).items():
                self._client.set_model_version_tag(self._name, versions[member], key, value)
        self._client.set_terminated(self._parent, "FINISHED", end_time=_milliseconds(entry["time"]))

    def _evaluation(self, entry: Entry) -> None:
        """Metrics ``assess.EVALUATION.METRIC.PART``, ``.low`` and ``.high`` at the member's number, and its files."""
        missing = [path for path in entry["files"] if not Path(path).is_file()]
        if missing:
            raise Refused(f"{missing[0]} does not exist any more")
        names = [".".join(filter(None, ("assess", entry["evaluation"], *words))) for *words, _ in entry["measures"]]
        values = [value for *_, value in entry["measures"]]
        points = [
            (re.sub(r"[^\w. /-]", "", name), value, entry["time"], entry["number"])
            for name, value in zip(names, values, strict=True)
        ]
        self._log(self._parent, {}, points)
        for path in entry["files"]:
            self._client.log_artifact(self._parent, path, f"evaluations/{entry['member']}")

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
        self._client.set_registered_model_alias(self._name, alias(member.macs), number)
        return number


def _facts(member: Member) -> dict[str, str]:
    """What a table of model versions shows of a member."""
    names = ("macs", "params", "latency_ms", "search_accuracy", "test_accuracy")
    facts = {name: getattr(member, name) for name in names}
    if member.compared is not None:
        facts["beside_references"] = member.compared.sentence
    return {
        name: f"{value:.4g}" if isinstance(value, float) else str(value)
        for name, value in facts.items()
        if value is not None
    }


def _comparisons(family: Family, when: float) -> list[tuple[str, float, float, int]]:
    """Metrics of the references by their number, and of what members save beside them by the member's number."""
    metrics: list[tuple[str, float, float, int]] = []
    for step, reference in enumerate(family.references, start=1):
        for name in ("macs", "search_accuracy", "test_accuracy"):
            metrics.append((f"reference_{name}", getattr(reference, name), when, step))
    for step, member in enumerate(family.members, start=1):
        if (compared := member.compared) is not None:
            bounds = {"": compared.equal_macs, "_low": compared.low_macs, "_high": compared.high_macs}
            for suffix, macs in bounds.items():
                if macs:  # neither beyond the largest reference nor below the smallest
                    metrics.append((f"family_times_fewer_macs{suffix}", macs / compared.macs, when, step))
    return metrics


def save_model(folder: Path, target: Path) -> None:
    """Write an exported member as an MLflow model (flavour ``onnx``) with its signature and an example."""
    import mlflow.onnx
    import onnx
    from mlflow.models.signature import ModelSignature
    from mlflow.types.schema import Schema, TensorSpec

    spec = load_spec(folder)
    image = spec.preprocessing.shape
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.float32), (-1, *image), name="image")]),
        outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, len(spec.classes)), name="logits")]),
    )
    mlflow.onnx.save_model(
        onnx.load(folder / "model.onnx"),
        str(target),
        signature=signature,
        input_example={"image": np.zeros((1, *image), dtype=np.float32)},
        pip_requirements=["onnxruntime", "onnx", "numpy"],  # or MLflow starts a process to find out
        save_as_external_data=False,
    )


def alias(macs: float) -> str:
    """Of the best model within a number of macs: ``best-312k``, ``best-20M``, ``best-1_5G`` (without a point)."""
    return f"best-{amount(macs)}".replace(".", "_")


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)

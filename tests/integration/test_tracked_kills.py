"""SIGKILL at drawn moments of a run that MLflow shows: at the end it shows what it shows of an undisturbed run."""

import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient

from search.__main__ import main
from tests.processes import At, searching
from tests.runs import configuration, facts

pytestmark = pytest.mark.nightly

MOMENTS = (
    "search.tracking.outbox:Outbox.put",
    "search.tracking.mlflow_store:_Sender.deliver",
    "mlflow:MlflowClient.create_run",
    "mlflow:MlflowClient.log_batch",
    "mlflow:MlflowClient.set_terminated",
    "mlflow:MlflowClient.create_model_version",
    "search.record.journal:Journal.append_logs",
    "trainables.training.checkpoint:Checkpoint.save",
)
"""Where a process ends itself; those of MLflow are reached in the thread that sends."""

CLOCKED = ("second", "latency", "per_s", "system", "memory")
"""In names of metrics and tags that depend on the clock or the machine."""


def shown(run: Path) -> dict[str, Any]:
    """What MLflow shows of a run, without what depends on the clock."""
    client = MlflowClient(f"sqlite:///{run / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(run.name)
    assert experiment is not None
    runs: dict[str, Any] = {}
    for one in client.search_runs([experiment.experiment_id]):
        name = one.info.run_name
        assert name not in runs, f"'{name}' is there twice"
        metrics = {
            key: [(point.step, point.value) for point in client.get_metric_history(one.info.run_id, key)]
            for key in one.data.metrics
            if not any(word in key for word in CLOCKED)
        }
        params = {key: value for key, value in one.data.params.items() if key != "runs"}  # the folder
        runs[name] = (one.info.status, params, {key: sorted(set(points)) for key, points in metrics.items()})
    versions = client.search_model_versions(f"name = '{run.name}'")
    aliases = dict(client.get_registered_model(run.name).aliases)
    return {"runs": runs, "versions": sorted(one.version for one in versions), "aliases": aliases}


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run of the same name."""
    folder = tmp_path_factory.mktemp("tracked")
    assert main(["run", str(configuration(folder, "small", tracking="true"))]) == 0
    return folder / "runs" / "small"


@pytest.mark.parametrize("seed", range(4))
def test_mlflow_shows_the_same_after_kills_at_drawn_moments(tracked: Path, tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    run, killed = tmp_path / "runs" / "small", 0
    for _ in range(10):
        at = At(MOMENTS[rng.integers(len(MOMENTS))], int(rng.integers(1, 7)), bool(rng.integers(2)))
        words = (
            ("resume", run)
            if (run / "config.yaml").exists()
            else ("run", configuration(tmp_path, "small", tracking="true"))
        )
        with searching(tmp_path, *words, at=at) as process:
            assert process.code in (0, -signal.SIGKILL), process.error.read_text()
            killed += process.code != 0
    assert killed >= 5
    assert main(["resume", str(run)]) == 0
    assert facts(run) == facts(tracked)
    assert shown(run) == shown(tracked)
    print(f"seed {seed}: {killed} kills")
    shutil.rmtree(run)

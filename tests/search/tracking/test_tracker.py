import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import mlflow.onnx
import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from search.__main__ import main
from search.evaluation.results import write_assessment
from search.family.folder import onnx_runner
from search.family.members import Family
from search.tracking.mlflow_store import alias
from search.tracking.tracker import MlflowTracker, NullTracker, is_behind
from tests.runs import copied
from tests.search.products import REFERENCES, beside_references, export, member, records
from trainables.assess import Assessment, Measure


def runs_of(run: Path, experiment: str = "toy"):
    """(parent, nested runs by trial number), read with MLflow's own client."""
    client = MlflowClient(f"sqlite:///{run / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    parents = [one for one in runs if "nars_trial" not in one.data.tags]
    nested = {int(one.data.tags["nars_trial"]): one for one in runs if "nars_trial" in one.data.tags}
    assert len(parents) == 1
    assert len(nested) == len(runs) - 1, "a trial was logged twice"
    return client, parents[0], nested


DATASET = {"name": "digits", "digest": "0123abcd", "source": "{}", "profile": '{"train": 3}'}


def opened(run: Path, **changes) -> contextlib.closing[MlflowTracker]:
    options = {"identity": "study-1", "parameters": {"space.name": "tiny"}, "dataset": DATASET, **changes}
    return contextlib.closing(MlflowTracker(run, budgets=[300_000, 400_000, 2e6], **options))


@pytest.fixture
def tracker():
    """Opens trackers, and closes them after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda run, **changes: stack.enter_context(opened(run, **changes))


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A store without anything in it, which takes seconds to make; tests copy it."""
    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def toy(empty, tmp_path):
    """The folder of a run with an empty store."""
    run = tmp_path / "toy"
    run.mkdir()
    shutil.copy(empty, run / "mlflow.db")
    return run


ASSESSMENT = Assessment(
    measures=(
        Measure(metric="after task", part="task 1, of 2", value=0.75, count=40),
        Measure(metric="final", part="one size only", value=float("nan"), count=0),
    ),
    pictures={"seen": np.zeros((2, 2, 3), dtype=np.uint8)},
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run that was logged, then logged again by a second process of the same study; all tests only read it."""
    run = tmp_path_factory.mktemp("runs") / "toy"
    one = member("member-1", macs=312_000, test_accuracy=0.875, compared=beside_references(0.8, 1100))
    export(run / "family" / "member-1", one)
    Family(members=(one,), references=REFERENCES).save(run / "family")
    (run / "report.html").write_text("<html></html>")
    for session in range(2):
        with opened(run) as view:
            for record in records()[: 12 if session == 0 else None]:
                view.trial(record)
            view.round(1, {"tau": 0.5, "tau_without_pretraining": 0.25, "undefined": float("nan")})
            view.finish(run / "family", run / "report.html")
            if session == 1:
                files = write_assessment(run / "family" / "member-1", "continual", ASSESSMENT)
                view.evaluated(1, "member-1", "continual", ASSESSMENT.measures, files)
            assert view.flush(60)
    return run


def test_every_trial_is_a_nested_run_once(finished):
    _, parent, nested = runs_of(finished)
    assert set(nested) == {record.number for record in records()}
    assert {one.data.tags["mlflow.parentRunId"] for one in nested.values()} == {parent.info.run_id}
    assert parent.data.params == {"space.name": "tiny"}
    assert parent.info.status == "FINISHED"


def test_a_nested_run_shows_parameters_statistics_and_curve(finished):
    client, _, nested = runs_of(finished)
    record = records()[9]
    run = nested[9]
    recipe = {f"recipe.{address}": str(value) for address, value in record.candidate.recipe.items()}
    assert recipe.items() <= run.data.params.items()
    assert run.data.metrics["macs"] == record.statistics.macs
    assert run.data.metrics["score"] == record.score
    assert run.data.metrics["predicted_mean"] == pytest.approx(record.predicted[0])
    assert run.info.start_time == round(record.started.timestamp() * 1000)
    curve = client.get_metric_history(run.info.run_id, "accuracy")
    assert [(point.step, point.value) for point in curve] == [
        (report.epoch, report.accuracy) for report in record.reports
    ]


def test_a_failed_trial_is_marked_with_its_reason(finished):
    run = runs_of(finished)[2][records()[-1].number]
    assert run.info.status == "FAILED"
    assert "NaN" in run.data.tags["error"]
    assert "score" not in run.data.metrics


def test_rounds_and_artifacts_are_on_the_parent(finished):
    client, parent, _ = runs_of(finished)
    tau = client.get_metric_history(parent.info.run_id, "tau")
    assert [(point.step, point.value) for point in tau] == [(1, 0.5)]
    assert "undefined" not in parent.data.metrics
    names = {item.path for item in client.list_artifacts(parent.info.run_id)}
    assert {"report.html", "family", "models"} <= names


def test_evaluations_are_metrics_and_files_of_the_parent(finished):
    client, parent, _ = runs_of(finished)
    shown = {name: value for name, value in parent.data.metrics.items() if name.startswith("assess")}
    assert shown == {"assess.continual.after task.task 1 of 2": 0.75}
    files = {item.path for item in client.list_artifacts(parent.info.run_id, "evaluations/member-1")}
    assert files == {f"evaluations/member-1/continual{end}" for end in (".csv", "-seen.png")}


def test_what_searching_brought_is_on_the_parent_and_on_the_model(finished):
    client, parent, _ = runs_of(finished)
    metrics = {point.step: point.value for point in client.get_metric_history(parent.info.run_id, "reference_macs")}
    assert metrics == {1: 900, 2: 2000, 3: 4000}
    assert parent.data.metrics["family_times_fewer_macs"] == pytest.approx(2.3, abs=0.05)
    assert parent.data.metrics["family_times_fewer_macs_low"] > 1
    (version,) = client.search_model_versions("name = 'toy'")
    assert version.tags["beside_references"].startswith("as accurate as references of 2.52k macs")


def test_members_are_versions_of_one_model_with_an_alias(finished):
    uri = f"sqlite:///{finished / 'mlflow.db'}"
    client = MlflowClient(uri, uri)
    version = client.get_model_version_by_alias("toy", "best-312k")
    assert version.tags["member"] == "member-1"
    facts = {"macs": "312000", "params": "200", "search_accuracy": "0.9", "test_accuracy": "0.875"}
    assert facts.items() <= version.tags.items()
    experiment = client.get_experiment_by_name("toy")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert len(client.search_model_versions("name = 'toy'")) == 1
    for budget in ("best-400k", "best-2M"):
        assert client.get_model_version_by_alias("toy", budget).version == version.version
    assert set(client.get_registered_model("toy").aliases) == {"best-312k", "best-400k", "best-2M"}
    mlflow.set_tracking_uri(uri)
    model = mlflow.pyfunc.load_model("models:/toy@best-312k")
    images = np.random.default_rng(0).random((5, 1, 8, 8), dtype=np.float32)
    expected = onnx_runner(finished / "family" / "member-1" / "model.onnx")(images)
    np.testing.assert_allclose(model.predict({"image": images})["logits"], expected, atol=1e-6)


def test_the_data_are_a_dataset_of_the_parent(finished):
    _, parent, _ = runs_of(finished)
    dataset = parent.inputs.dataset_inputs[0].dataset
    assert {name: getattr(dataset, name) for name in DATASET} == DATASET


def test_the_model_says_what_it_takes_and_shows_an_example(finished):
    uri = f"sqlite:///{finished / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    model = mlflow.pyfunc.load_model("models:/toy@best-400k")
    assert model.metadata.signature.inputs.input_names() == ["image"]
    assert model.input_example["image"].shape == (1, 1, 8, 8)
    assert model.predict(model.input_example)["logits"].shape == (1, 10)


@pytest.mark.nightly
def test_the_load_of_the_machine_is_recorded_until_the_end(toy, tracker):
    run = toy
    view = tracker(run, system_metrics_s=0.05)
    queue = run / "tracking" / "queue.jsonl"
    while not queue.exists() or queue.read_text().count("\n") < 2:
        time.sleep(0.02)
    export(run / "family" / "member-1", member())
    Family(members=(member(),)).save(run / "family")
    (run / "report.html").write_text("<html></html>")
    view.finish(run / "family", run / "report.html")
    assert view.flush(60)
    metrics = runs_of(run)[1].data.metrics
    assert 0 < metrics["system/system_memory_usage_percentage"] <= 100
    assert metrics["system/load_average_per_core"] >= 0
    kinds = [json.loads(line)["kind"] for line in queue.read_text().splitlines()]
    assert kinds.index("finish") >= len(kinds) - 2  # one sample may have been under way


def lose_all(run: Path, empty: Path) -> None:
    shutil.rmtree(run / "tracking")
    lose_the_store(run, empty)
    shutil.copy(empty, run / "mlflow.db")


def lose_the_store(run: Path, empty: Path) -> None:
    for path in run.glob("mlflow.db*"):
        path.unlink()


def lose_the_end(run: Path, empty: Path) -> None:
    """As if the process had been killed after the family and before MLflow was told, with two entries on their way."""
    client, parent, nested = runs_of(run, "small")
    client.delete_run(nested[3].info.run_id)
    client.delete_registered_model("small")
    client.update_run(parent.info.run_id, status="RUNNING")
    queue = run / "tracking" / "queue.jsonl"
    lines = [line for line in queue.read_text().splitlines() if json.loads(line)["kind"] != "finish"]
    queue.write_text("".join(f"{line}\n" for line in lines))
    (run / "tracking" / "sent").write_text("0")


@pytest.mark.parametrize("lose", [lose_all, lose_the_store, lose_the_end])
def test_a_finished_run_that_is_resumed_sends_what_mlflow_lacks(product, empty, tmp_path, lose, capsys):
    run = copied(product, tmp_path)  # whose store this process must not have opened when it is lost
    assert not is_behind(run, None)
    lose(run, empty)
    assert is_behind(run, None)
    assert main(["resume", str(run)]) == 0
    assert "sending to MLflow" in capsys.readouterr().out
    assert not is_behind(run, None)
    client, parent, nested = runs_of(run, "small")
    assert set(nested) == set(runs_of(product, "small")[2])
    assert parent.info.status == "FINISHED"
    for alias_, member_ in (("best-6k", "member-1"), ("best-60k", "member-2")):
        assert client.get_model_version_by_alias("small", alias_).tags["member"] == member_
    before = (run / "tracking" / "queue.jsonl").read_text()
    assert main(["resume", str(run)]) == 0
    assert "sending to MLflow" not in capsys.readouterr().out
    assert (run / "tracking" / "queue.jsonl").read_text() == before


def test_a_trial_half_logged_by_a_killed_process_is_completed(toy, tracker):
    """The second process finds run 2 begun, without metrics and not ended, and an offset before it."""
    run = toy
    first = tracker(run)
    for record in records(3):
        first.trial(record)
    assert first.flush(60)
    client, parent, nested = runs_of(run)
    client.delete_run(nested[2].info.run_id)
    tags = {"nars_run": "study-1", "nars_trial": "2", "mlflow.parentRunId": parent.info.run_id}
    client.create_run(parent.info.experiment_id, tags=tags)
    (run / "tracking" / "sent").write_text("0")
    assert tracker(run).flush(60)
    nested = runs_of(run)[2]
    assert set(nested) == {0, 1, 2}
    assert nested[2].info.status == "FAILED"  # the last of the records is the failed one
    assert nested[2].data.metrics["macs"] == records(3)[2].statistics.macs


def test_a_server_that_is_gone_holds_up_nothing_and_loses_nothing(toy, caplog, tracker):
    run = toy
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    view = tracker(run, uri=address)
    for record in records(4):
        view.trial(record)
    view.round(1, {"tau": 0.5})
    assert not view.flush(0.5)
    queue = (run / "tracking" / "queue.jsonl").read_text().splitlines()
    assert [json.loads(line)["kind"] for line in queue] == ["trial"] * 4 + ["round"]
    assert tracker(run).flush(60)
    assert set(runs_of(run)[2]) == {0, 1, 2, 3}


def test_the_null_tracker_shows_nothing(tmp_path):
    view = NullTracker()
    view.trial(records()[0])
    view.round(0, {})
    view.finish(tmp_path, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("macs", "text"), [(950, "950"), (312_499, "312k"), (999_999, "1M"), (1_500_000, "1_5M"), (2e9, "2G")]
)
def test_an_alias_names_the_macs(macs, text):
    assert alias(macs) == f"best-{text}"


def test_the_driver_does_not_import_mlflow():
    """The import takes a second; whoever only reports or checks does not pay for it."""
    code = "import sys, search.tracking; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, env=dict(os.environ)).returncode == 0

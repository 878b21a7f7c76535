"""MLflow's own servers as processes: one that dies in the middle, and one that answers with a member's scores."""

import contextlib
import json
import random
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from search.family.folder import onnx_runner
from search.family.members import Family
from search.tracking.mlflow_store import save_model
from search.tracking.tracker import MlflowTracker
from tests.processes import free_port
from tests.search.products import export, member, records
from tests.search.tracking.servers import process, server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred"),  # MLflow's own scoring code
]


@pytest.mark.nightly
@pytest.mark.parametrize("kills", [1, 4])
def test_a_server_that_is_killed_in_the_middle_loses_nothing(kills: int, tmp_path: Path) -> None:
    """SIGKILL while it is given trials, at moments drawn with a seed; the search goes on all the while."""
    port, run, draw = free_port(), tmp_path / "toy", random.Random(0)
    address, trials = f"http://127.0.0.1:{port}", records(30 + 30 * kills)
    run.mkdir()
    sent = run / "tracking" / "sent"

    def until_more_than(offset: int) -> int:
        deadline = time.monotonic() + 240
        while not sent.exists() or int(sent.read_text() or 0) <= offset:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return int(sent.read_text())

    with contextlib.closing(MlflowTracker(run, identity="study-1", parameters={"a": 1}, uri=address)) as view:
        for record in trials[:-1]:
            view.trial(record)
        offset = 0
        for _ in range(kills):
            with server(tmp_path, port):
                offset = until_more_than(offset)
                time.sleep(draw.uniform(0, 0.5))
            assert not view.flush(1), "it was killed when all was sent"
        view.trial(trials[-1])
        view.round(1, {"tau": 0.5})
        with server(tmp_path, port):
            assert view.flush(240)
            client = MlflowClient(address)
            runs = client.search_runs([client.get_experiment_by_name("toy").experiment_id])
            by_number = {int(one.data.tags["nars_trial"]): one for one in runs if "nars_trial" in one.data.tags}
            assert sorted(by_number) == [record.number for record in trials]
            assert len(runs) == len(trials) + 1
            for record in trials:
                shown = by_number[record.number]
                assert shown.info.status == ("FAILED" if record.state == "fail" else "FINISHED")
                assert shown.data.metrics.get("score") == record.score
                history = client.get_metric_history(shown.info.run_id, "accuracy") if record.reports else []
                assert [point.value for point in history] == [report.accuracy for report in record.reports]
            parents = [one for one in runs if "nars_trial" not in one.data.tags]
            assert [one.data.metrics["tau"] for one in parents] == [0.5]


@pytest.mark.slow
@pytest.mark.nightly
def test_a_registered_member_is_served_and_answers(tmp_path: Path) -> None:
    folder, port = tmp_path / "family" / "member-1", free_port()
    export(folder, member())
    Family(members=(member(),)).save(folder.parent)
    save_model(folder, tmp_path / "model")
    arguments = ["models", "serve", "-m", str(tmp_path / "model"), "--env-manager", "local", "-h", "127.0.0.1"]
    with process([*arguments, "-p", str(port)], f"http://127.0.0.1:{port}/ping", tmp_path):
        images = np.random.default_rng(0).random((3, 1, 8, 8), dtype=np.float32)
        body = json.dumps({"inputs": {"image": images.tolist()}}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            logits = json.load(answer)["predictions"]["logits"]
    np.testing.assert_allclose(logits, onnx_runner(folder / "model.onnx")(images), atol=1e-5)

"""Whole runs in processes of their own, killed and resumed, and on own images."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from optuna.storages import RDBStorage
from PIL import Image
from sklearn.datasets import load_digits

from search.experiment.running import saved
from search.family.folder import onnx_runner
from search.family.members import load_family
from search.record.storage import open_storage
from search.record.study import Study
from search.setting.config import read
from search.setting.setting import prepare
from tests.places import ROOT
from tests.search.products import accuracy

SMALL_NETWORKS = """\
space:
  name: tiny
  restrict:
    architecture.resolution: [8]
    architecture.stem_stride: [2]
    architecture.depth.0: [1]
    architecture.depth.1: [1]
"""
"""The part of a configuration that keeps networks small."""

SMALL = (
    """
name: {name}
runs: {runs}
data: {data}
"""
    + SMALL_NETWORKS
    + """\
limits: {{max_macs: 100k}}
search: {{trials: 9, initial: 6, batch: 3, epochs: 2, predictor: gp, watched: gp, pretrain: 200}}
family: {{max_macs: [6k, 20k, 60k], contenders: 1, repeats: 1, epochs: 2}}
run: {{executor: {executor}, workers: {workers}}}
tracking: {{enabled: {tracking}}}
"""
)


def configuration(folder: Path, name: str, **changes: Any) -> Path:
    values = {"data": "{source: digits}", "executor": "serial", "workers": 1, "tracking": "false"} | changes
    file = folder / f"{name}.yaml"
    file.write_text(SMALL.format(name=name, runs=folder / "runs", **values))
    return file


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "search", *map(str, arguments)]


def search(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True, check=False)


def facts(run: Path) -> dict[str, Any]:
    """What a run found, without what the clock or the device decided."""
    config = saved(run)
    setting = prepare(config)
    storage = open_storage(run, config.run.storage)
    study = Study(name=config.name, storage=storage, space=setting.space, create=False)
    trials = [
        (r.number, r.state, r.candidate.key, [(e.epoch, e.accuracy, e.loss) for e in r.reports]) for r in study.trials()
    ]
    if isinstance(storage, RDBStorage):  # a connection that is collected while open fails the whole session of tests
        storage.remove_session()
        storage.engine.dispose()
    members = [{**m.to_dict(), "latency_ms": None} for m in load_family(run / "family").members]
    for member in members:
        assert member["spent"]["final"]["images"] == 2 * len(setting.splits.train)
        member["spent"] = {name: {**part, "seconds": None} for name, part in member["spent"].items()}
    return {"trials": trials, "members": members}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    done = search("run", configuration(folder, "small"))
    assert done.returncode == 0, done.stderr
    return folder / "runs" / "small"


def test_a_run_leaves_a_family_with_its_evidence(undisturbed: Path) -> None:
    family = load_family(undisturbed / "family")
    table = pd.read_csv(undisturbed / "family" / "family.csv")
    assert list(table["member"]) == [member.name for member in family.members]
    assert (table["macs"].diff().dropna() > 0).all()
    assert (table["search_accuracy"].diff().dropna() > 0).all()
    assert (undisturbed / "report.html").stat().st_size > 10_000
    for member in family.members:
        files = {file.name for file in (undisturbed / "family" / member.name).iterdir()}
        assert {"model.safetensors", "candidate.json", "README.md", "model.onnx", "model.pt2"} <= files


def test_no_trial_breaks_a_limit(undisturbed: Path) -> None:
    config = saved(undisturbed)
    setting = prepare(config)
    study = Study(name="small", storage=open_storage(undisturbed, None), space=setting.space, create=False)
    records = study.trials()
    assert sum(record.purpose == "search" for record in records) == 9
    assert all(record.statistics.macs <= 100_000 for record in records)
    counted = setting.statistics(setting.space.encode([record.candidate for record in records]))
    assert counted == [record.statistics for record in records]


def test_the_onnx_files_give_the_test_accuracy(undisturbed: Path) -> None:
    test = prepare(saved(undisturbed)).splits.test
    images = test.image_NCHW.astype(np.float32) / 255
    for member in load_family(undisturbed / "family").members:
        run = onnx_runner(undisturbed / "family" / member.name / "model.onnx")
        assert member.test_accuracy is not None
        assert abs(accuracy(run, images, test.label_N) - member.test_accuracy) * len(test) <= 1


def test_report_and_resume_of_a_finished_run_show_the_family(undisturbed: Path) -> None:
    before = facts(undisturbed)
    for name in ("report", "resume"):
        shown = search(name, undisturbed)
        assert shown.returncode == 0, shown.stderr
        assert "member-1" in shown.stdout
    assert facts(undisturbed) == before


def test_a_run_that_is_killed_again_and_again_ends_in_the_same_family(undisturbed: Path, tmp_path: Path) -> None:
    """SIGKILL at moments drawn with a seed; every attempt makes some progress because checkpoints are kept."""
    moments = random.Random(0)
    file = configuration(tmp_path, "small")
    run = tmp_path / "runs" / "small"
    kills = 0
    for _ in range(20):
        started = [run] if (run / "config.yaml").exists() else []
        arguments = ("resume", run) if started else ("run", file)
        process = subprocess.Popen(command(*arguments), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            _, errors = process.communicate(timeout=moments.uniform(7, 14) if kills < 4 else 300)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
            continue
        assert process.returncode == 0, errors.decode()
        break
    assert kills >= 1
    assert facts(run) == facts(undisturbed)


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    file = configuration(tmp_path, "small")
    first = subprocess.Popen(command("run", file), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "runs" / "small" / "study.journal").exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        second = search("resume", tmp_path / "runs" / "small")
    finally:
        first.kill()
        first.wait()
    assert second.returncode == 2
    assert "another process works on" in second.stderr


def test_another_configuration_does_not_overwrite_a_run(undisturbed: Path, tmp_path: Path) -> None:
    config = read(configuration(tmp_path, "small"))
    changed = config.model_copy(update={"runs": str(undisturbed.parent), "seed": 5})
    (tmp_path / "changed.yaml").write_text(changed.dump())
    refused = search("run", tmp_path / "changed.yaml")
    assert refused.returncode == 2
    assert "holds a run of another configuration" in refused.stderr


def test_own_images_in_folders(tmp_path: Path) -> None:
    digits = load_digits()
    for number, (image, label) in enumerate(zip(digits.images[:600], digits.target[:600], strict=True)):
        folder = tmp_path / "images" / f"digit-{label}"
        folder.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray((image * 15.9).astype(np.uint8)).resize((20 + number % 5, 22))
        picture.save(folder / f"{number}.png")
    data = f"{{source: folder, path: {tmp_path / 'images'}, resolution: 16, cache: {tmp_path / 'cache'}}}"
    done = search("run", configuration(tmp_path, "own", data=data))
    assert done.returncode == 0, done.stderr
    described = json.loads((tmp_path / "runs" / "own" / "family" / "member-1" / "input.json").read_text())
    assert described["classes"] == [f"digit-{label}" for label in range(10)]
    assert (described["channels"], described["size"]) == (3, 16)


def test_ray_tune_trains_and_two_ray_train_workers_finish(tmp_path: Path) -> None:
    done = search("run", configuration(tmp_path, "ray", executor="ray_tune", workers=2, tracking="true"))
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "ray"
    outcome = facts(run)
    assert [trial[0] for trial in outcome["trials"]] == list(range(len(outcome["trials"])))
    assert {trial[1] for trial in outcome["trials"]} <= {"complete", "pruned"}
    assert outcome["members"]
    assert (run / "mlflow.db").exists()
    assert len(done.stdout.splitlines()) < 60, "Ray's chatter reached the terminal"


def test_a_warm_start_stays_with_the_run(undisturbed: Path, tmp_path: Path) -> None:
    file = configuration(tmp_path, "warm")
    file.write_text(file.read_text().replace("limits: {max_macs: 100k}", "limits: {max_macs: 70k}"))
    done = search("run", file, "--warm-start", undisturbed)
    assert done.returncode == 0, done.stderr
    assert f"of 9 trials of {undisturbed} fit this space" in done.stdout
    again = tmp_path / "again"
    (again / "warm").mkdir(parents=True)
    for name in ("config.yaml", "warm_start.json"):  # as if killed before the first trial, and the past were gone
        (again / "warm" / name).write_text((tmp_path / "runs" / "warm" / name).read_text())
    resumed = search("resume", again / "warm")
    assert resumed.returncode == 0, resumed.stderr
    first, second = facts(tmp_path / "runs" / "warm"), facts(again / "warm")
    assert first == second
    cold = configuration(tmp_path, "cold")
    refused = search("run", cold, "--warm-start", tmp_path / "nowhere")
    assert refused.returncode == 2
    assert "holds no run" in refused.stderr
    assert "Traceback" not in refused.stderr

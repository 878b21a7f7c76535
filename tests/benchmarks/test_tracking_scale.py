"""A search of 1,000 trials in MLflow on SQLite: what writing costs, and whether it stays browsable.

Browsing is measured by the requests of the runs table (``ajax-api``) to MLflow's own server, and looked at in Chromium.
"""

import json
import shutil
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.record.trial import Trial
from search.tracking.tracker import MlflowTracker
from spaces import components
from spaces.sampling import uniform
from tests.browser import FLAGS
from tests.processes import free_port
from tests.search.products import records
from tests.search.tracking.servers import server
from trainables.job import Report

pytestmark = [pytest.mark.benchmark, pytest.mark.filterwarnings("ignore")]
PAGE, REPEATS, EPOCHS = 100, 7, 10
"""Runs that MLflow's table asks for at once; times that each request is repeated."""

REQUESTS: dict[str, dict[str, Any]] = {
    "first page, newest first": {"order_by": ["attributes.start_time DESC"]},
    "first page, by score": {"order_by": ["metrics.`score` DESC"]},
    "first page, of a filter": {"filter": "params.`recipe.optimizer.name` = 'sgd' and metrics.score > 0.5"},
}


def trials(count: int) -> list[Trial]:
    """Trials of the space ``tiny`` (some thirty parameters each) with ten epochs."""
    space = components.load(components.SPACES, "tiny").space()
    candidates = space.decode(uniform(space, count, np.random.default_rng(0)))
    curve = tuple(
        Report(epoch=epoch, accuracy=0.08 * epoch, loss=2.0 * 0.7**epoch, seconds=0.1 * epoch)
        for epoch in range(1, EPOCHS + 1)
    )
    made = records(count)
    return [replace(one, candidate=each, reports=curve) for one, each in zip(made, candidates, strict=True)]


def ask(address: str, request: dict[str, Any]) -> dict[str, Any]:
    body = json.dumps({"max_results": PAGE, "run_view_type": "ACTIVE_ONLY", **request}).encode()
    url = f"{address}/ajax-api/2.0/mlflow/runs/search"
    post = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(post, timeout=120) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def pages(address: str, request: dict[str, Any]) -> Iterator[list[Any]]:
    token = None
    while True:
        found = ask(address, {**request, **({"page_token": token} if token else {})})
        yield found.get("runs", [])
        token = found.get("next_page_token")
        if not token:
            return


def seconds(address: str, request: dict[str, Any]) -> float:
    """Median of ``REPEATS``, after one that is not counted."""
    taken = []
    for _ in range(REPEATS + 1):
        began = time.perf_counter()
        ask(address, request)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def looked_at(address: str, experiment: str, folder: Path) -> int:
    """Trials in the table that Chromium shows; a picture is left in the folder."""
    command = ["chromium", *FLAGS, f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=60000"]
    page = f"{address}/#/experiments/{experiment}/runs"
    shot = folder / "runs.png"
    subprocess.run(
        [*command, "--window-size=1400,1000", f"--screenshot={shot}", page],
        capture_output=True,
        timeout=300,
        check=True,
    )
    print(f"picture: {shot}")
    shown = subprocess.run([*command, "--dump-dom", page], capture_output=True, text=True, timeout=300, check=True)
    return shown.stdout.count(">trial-")


def test_a_thousand_trials_stay_browsable(tmp_path: Path) -> None:
    taken: dict[int, dict[str, float]] = {}
    for count in (100, 1000):
        folder = tmp_path / str(count)
        run = folder / "toy"
        run.mkdir(parents=True)
        view = MlflowTracker(run, identity="study-1", parameters={"a": 1}, uri=f"sqlite:///{folder / 'store.db'}")
        assert view.flush(120)
        began, processor = time.perf_counter(), time.process_time()
        for record in trials(count):
            view.trial(record)
        put = time.perf_counter() - began
        assert view.flush(1800)
        wall, processor = time.perf_counter() - began, time.process_time() - processor
        view.close()
        size = (folder / "store.db").stat().st_size
        print(
            f"\n{count} trials: {1000 * put / count:.2f} ms a trial for the search, {1000 * wall / count:.0f} ms "
            f"({1000 * processor / count:.0f} of processor time) to write; {size / 1e6:.1f} MB"
        )
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        with server(folder, port):
            experiment = ask_experiment(address)
            requests = {name: {"experiment_ids": [experiment], **given} for name, given in REQUESTS.items()}
            every = [run for page in pages(address, next(iter(requests.values()))) for run in page]
            assert len(every) == count + 1
            taken[count] = {name: seconds(address, request) for name, request in requests.items()}
            if count == 1000 and shutil.which("chromium"):
                print(f"{looked_at(address, experiment, tmp_path)} trials in Chromium's table")
    for name in REQUESTS:
        few, many = taken[100][name], taken[1000][name]
        print(f"{name}: {many:.3f} s of 1,000 trials, {few:.3f} s of 100, ratio {many / few:.2f}")


def ask_experiment(address: str) -> str:
    url = f"{address}/ajax-api/2.0/mlflow/experiments/get-by-name?experiment_name=toy"
    with urllib.request.urlopen(url, timeout=60) as answer:
        return str(json.load(answer)["experiment"]["experiment_id"])

"""Seconds that each way to run a trial adds to its training: ours, plain Ray Tune, Ray Train inside Ray Tune.

Trials of no length, one at a time, in rounds of all ways so that the machine's other load falls on all alike.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.sleepers import Ends, middle, sleepers
from tests.search.executors.jobs import jobs

pytestmark = [pytest.mark.benchmark, pytest.mark.filterwarnings("ignore")]
"""Ray warns of files that it leaves open, which is not ours to mend."""

ray_tune = pytest.importorskip("search.executors.ray_tune")
ray_train = pytest.importorskip("search.executors.ray_train")
import ray  # noqa: E402
from ray import train, tune  # noqa: E402
from ray.train.torch import TorchTrainer  # noqa: E402

ROUNDS = 2
CAP = 0.2
"""Seconds that a trial of ours may take beyond a trial of plain Ray Tune."""


def ours(module: Any, folder: Path, trials: int) -> Ends:
    ends = Ends()
    left = iter(jobs(trials))
    with module.Executor(sleepers(folder, 0.0, concurrent=1)) as executor:
        executor.run(lambda: next(left, None), ends.report, ends.outcome)
    return ends


class _Noted(tune.Callback):  # type: ignore[misc]
    def __init__(self, ends: Ends) -> None:
        self._ends = ends

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._ends.note()


def plain(function: Callable[[dict[str, Any]], None], folder: Path, trials: int, *, cpus: float, reuse: bool) -> Ends:
    """The same number of trials of a Tune function, as Ray's own guides write them."""
    ends = Ends()
    ray.init(address="local", include_dashboard=True, dashboard_host="127.0.0.1", log_to_driver=False)
    try:
        tune.Tuner(
            tune.with_resources(function, {"CPU": cpus}),
            param_space={"folder": str(folder)},
            tune_config=tune.TuneConfig(num_samples=trials, max_concurrent_trials=1, reuse_actors=reuse),
            run_config=tune.RunConfig(name="plain", storage_path=str(folder), verbose=0, callbacks=[_Noted(ends)]),
        ).fit()
    finally:
        ray.shutdown()
    return ends


def function_trial(config: dict[str, Any]) -> None:
    import torch  # what every trial of ours has loaded

    tune.report({"accuracy": float(torch.ones(()))})


def nested_trial(config: dict[str, Any]) -> None:
    name = tune.get_context().get_trial_id()
    TorchTrainer(
        lambda: None,
        scaling_config=train.ScalingConfig(num_workers=1),
        run_config=train.RunConfig(name=name, storage_path=config["folder"]),
    ).fit()
    tune.report({"accuracy": 1.0})


WAYS: dict[str, tuple[Callable[[Path, int], Ends], int, int]] = {
    "ours, ray_tune": (lambda folder, n: ours(ray_tune, folder, n), 40, 10),
    "ours, ray_train": (lambda folder, n: ours(ray_train, folder, n), 40, 10),
    "Tune function": (lambda folder, n: plain(function_trial, folder, n, cpus=1, reuse=False), 4, 1),
    "Tune function, reused": (lambda folder, n: plain(function_trial, folder, n, cpus=1, reuse=True), 40, 10),
    "TorchTrainer in a Tune function": (lambda folder, n: plain(nested_trial, folder, n, cpus=0.01, reuse=True), 3, 1),
}
"""How, trials in a round, and how many of them are cold."""


def test_seconds_added_to_a_trial(tmp_path: Path) -> None:
    wall: dict[str, list[float]] = {name: [] for name in WAYS}
    processor: dict[str, list[float]] = {name: [] for name in WAYS}
    for round_ in range(ROUNDS):
        for name, (run, trials, cold) in WAYS.items():
            folder = tmp_path / f"{round_}-{name.replace(' ', '-').replace(',', '')}"
            folder.mkdir()
            began = time.monotonic()
            seconds, cpu = run(folder, trials).per_trial(cold)
            wall[name].append(seconds)
            processor[name].append(cpu)
            print(
                f"  round {round_}, {name}: {seconds:.3f} s, {cpu:.3f} CPU s; {time.monotonic() - began:.0f} s in all"
            )
    print(f"seconds a trial of no length takes, {ROUNDS} rounds, median (range)")
    for name, (_, trials, cold) in WAYS.items():
        print(
            f"  {name} ({trials - cold} warm trials a round): {middle(wall[name])}; {middle(processor[name], 'CPU s')}"
        )
    for own in ("ours, ray_tune", "ours, ray_train"):
        for other in WAYS:
            ratios = [theirs / mine for theirs, mine in zip(wall[other], wall[own], strict=True)]
            print(f"  {other} / {own}: {middle(ratios, 'times')}")
        added = [mine - theirs for mine, theirs in zip(wall[own], wall["Tune function, reused"], strict=True)]
        print(f"  {own} adds to a reused Tune function: {middle(added)}")
        assert min(added) <= CAP

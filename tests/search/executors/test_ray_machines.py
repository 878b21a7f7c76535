"""What fits where, on made-up machines and on those of the shipped clusters; no Ray is started."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from search.executors.work import PlacementError, Workplace
from search.setting.config import parse
from search.setting.setting import prepare
from tests.places import ROOT
from tests.search.executors.jobs import place

ray_cluster = pytest.importorskip("search.executors.ray_cluster")
ray_train = pytest.importorskip("search.executors.ray_train")
ray_machines = pytest.importorskip("search.executors.ray_machines")
Machine = ray_machines.Machine
GIB = 2.0**30


def test_a_ray_that_does_not_start_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    attempts = []

    def init(**options: Any) -> None:
        attempts.append(options)
        raise Exception("The current node timed out\nduring startup.")  # as Ray does

    monkeypatch.setattr(ray_cluster.ray, "init", init)
    with pytest.raises(PlacementError, match=r"\(The current node timed out during startup\.\); where it is busy"):
        ray_cluster.join(place(tmp_path), dashboard=False)
    assert len(attempts) == ray_cluster.STARTS, "on a busy machine it may start the next time"


def test_nobody_else_can_read_the_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    token = tmp_path / "token"
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
    ray_cluster.hide_token()  # there is none
    token.write_text("secret")
    token.chmod(0o644)
    ray_cluster.hide_token()
    assert token.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("worker", "fits"),
    [
        ({"CPU": 1}, 2 * 8 + 4),
        ({"CPU": 3}, 2 * 2 + 1),
        ({"CPU": 1, "GPU": 0.1}, 2 * 8),
        ({"CPU": 1, "GPU": 0.3333}, 2 * 3),
        ({"CPU": 1, "GPU": 2}, 0),
        ({"CPU": 1, "memory": 3 * GIB}, 2 * 5 + 4),
    ],
)
def test_workers_are_counted_machine_by_machine(worker: dict[str, float], fits: int) -> None:
    large = Machine(resources={"CPU": 8, "GPU": 1, "memory": 16 * GIB}, count=2)
    unknown_memory = Machine(resources={"CPU": 4}, count=1)
    assert ray_machines.room([large, unknown_memory], worker) == fits


def kinds(file: str) -> list[Any]:
    text = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))
    if text.get("kind") == "RayCluster":
        text["metadata"]["namespace"] = "default"
        return list(ray_machines.grown(ray_machines.of_kuberay(text)))
    return list(ray_machines.grown(text))


@pytest.mark.parametrize("file", ["cluster.yaml", "docs/cluster/raycluster.yaml"])
def test_the_shipped_clusters_grow_to_what_the_executor_asks_for(file: str) -> None:
    machines = kinds(file)
    assert len(machines) == 2
    alone, shared = ({"CPU": 1.0, "GPU": gpus} for gpus in (1.0, 0.25))
    assert ray_machines.room(machines, {"CPU": 1.0}) >= 8 * 8 + 8 * 8
    assert ray_machines.room(machines, alone) == 8
    assert ray_machines.room(machines, shared) == 32
    assert ray_machines.room(machines, {"CPU": 1.0, "GPU": 2.0}) == 0
    if file == "cluster.yaml":
        assert sum(kind.count for kind in machines) <= yaml.safe_load((ROOT / file).read_text())["max_workers"]


def test_machines_that_an_autoscaler_does_not_describe_are_those_that_are_there() -> None:
    assert ray_machines.grown(None) == []
    assert ray_machines.grown({"available_node_types": {"local": {"resources": {}, "max_workers": 2}}}) == []
    assert ray_machines.of_kuberay({"spec": {"enableInTreeAutoscaling": False}}) is None


def test_a_request_waits_only_for_machines_that_may_come(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    grows = [Machine(resources={"CPU": 0}, count=1), Machine(resources={"CPU": 8, "GPU": 1}, count=4)]
    monkeypatch.setattr(ray_machines, "machines", lambda *, joined: grows)
    ray_cluster._check_resources(place(tmp_path, cpus=8, gpus=1, workers=4))
    assert ray_cluster.room(place(tmp_path, gpus=0.25)) == 16
    assert ray_cluster.room(place(tmp_path, gpus=1, workers_per_trial=2)) == 2
    with pytest.raises(PlacementError, match=r"needs 9 CPU, but the cluster has 1 machine of no resources and 4 machi"):
        ray_cluster._check_resources(place(tmp_path, cpus=9))
    with pytest.raises(PlacementError, match=r"final training with 5 worker\(s\) needs 5 CPU, 5 GPU, but"):
        ray_cluster._check_resources(place(tmp_path, gpus=0.25, workers=5))


@pytest.mark.parametrize(("needed", "trials"), [(3.9, 6), (24, 1), (30, 1), (12, 2), (12.1, 1), (0.5, 48)])
def test_the_share_of_a_gpu_lets_as_many_trials_on_it_as_its_memory_holds(needed: float, trials: int) -> None:
    share = ray_cluster.share(needed * GIB, 24 * GIB)
    assert trials == int(1 / share)
    assert trials * share <= 1


CONFIG = "name: a\nspace: {{name: tiny}}\nlimits: {{max_macs: 200k}}\nrun: {{{run}}}"


def workplace(run: str) -> Workplace:
    return prepare(parse(CONFIG.format(run=run))).place


def test_auto_asks_for_a_probe_of_candidates_within_the_limits() -> None:
    setting = prepare(parse(CONFIG.format(run="gpus: auto, memory: 2G")))
    probe = setting.place.probe
    assert probe is not None
    assert (probe.gpus, probe.memory, setting.place.gpus, setting.place.memory) == (True, False, 1, 2_000_000_000)
    codes_ND = setting.space.encode([task.candidate for task in probe.tasks])
    assert setting.problem.feasible(codes_ND).all()
    assert workplace("gpus: 0.5, memory: 1G").probe is None


@pytest.mark.parametrize("verbose", [False, True])
def test_ray_is_private_and_quiet_unless_told_otherwise(
    verbose: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(ray_cluster.ray, "init", lambda **options: given.update(options))
    monkeypatch.setattr(ray_machines, "machines", lambda *, joined: [Machine(resources={"CPU": 2}, count=1)])
    ray_cluster.join(place(tmp_path, verbose=verbose), dashboard=False)
    assert (given["address"], given["dashboard_host"]) == ("local", "127.0.0.1")
    assert ("log_to_driver" in given) is not verbose


def test_ray_keeps_its_records_with_the_checkpoints(tmp_path: Path) -> None:
    from ray.train._internal.storage import StorageContext

    beside = ray_cluster.records(place(tmp_path, checkpoints=f"file://{tmp_path}/kept"))
    StorageContext(experiment_dir_name="trials", **beside)  # writes a file there, which workers look for
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"ray"}
    assert ray_cluster.records(place(tmp_path / "run")) == {"storage_path": str(tmp_path / "run" / "ray")}

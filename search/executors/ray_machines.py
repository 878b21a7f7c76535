"""What machines a cluster has, or may have if it grows by itself, and how many workers find room on them."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import requests
import yaml

LAUNCHER = Path("~/ray_bootstrap_config.yaml")
"""Where ``ray up`` leaves the configuration on the head, from which its autoscaler reads it."""

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
HEAD = "node:__internal_head__"
RESOURCES = ("CPU", "GPU", "memory")


def shown(resources: Mapping[str, float]) -> str:
    """``8 CPU, 1 GPU, 16 GiB memory``; what there is none of is left out."""
    amounts = {name: resources.get(name, 0.0) for name in RESOURCES}
    parts = [
        f"{amount / 2**30:.3g} GiB {name}" if name == "memory" else f"{amount:g} {name}"
        for name, amount in amounts.items()
        if amount
    ]
    return ", ".join(parts) or "no resources"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Machines of one kind.

    Attributes:
        resources: of each, by Ray's names; memory that is not named is not looked at.
        count: how many there are or may be.
    """

    resources: Mapping[str, float]
    count: int

    def room(self, worker: Mapping[str, float]) -> int:
        """Workers that fit on one of them."""
        has = {"memory": float("inf"), **self.resources}
        # A share of a GPU is a decimal fraction: a tenth ten times is one.
        return int(min(has.get(name, 0.0) / amount for name, amount in worker.items()) + 1e-6)

    def __str__(self) -> str:
        return f"{self.count} machine{'' if self.count == 1 else 's'} of {shown(self.resources)}"


def room(machines: Sequence[Machine], worker: Mapping[str, float]) -> int:
    """Workers that fit on all machines together."""
    return sum(machine.count * machine.room(worker) for machine in machines)


def machines(*, joined: bool) -> list[Machine]:
    """The machines of the cluster that this process uses; all that it may have, if it grows by itself.

    Args:
        joined: whether it is a running cluster; else a private Ray, which does not grow.
    """
    nodes = [node for node in ray.nodes() if node["Alive"]]
    here = ray.get_runtime_context().get_node_id()
    on_head = any(node["NodeID"] == here and HEAD in node["Resources"] for node in nodes)
    types = grown(_autoscaling()) if joined and on_head else []
    # A head with work of its own is there once, whatever else may come.
    present = [node["Resources"] for node in nodes if not types or HEAD in node["Resources"]]
    kinds = Counter(tuple((name, has.get(name, 0.0)) for name in RESOURCES) for has in present)
    return [Machine(resources=dict(kind), count=count) for kind, count in kinds.items()] + types


def grown(config: Mapping[str, Any] | None) -> list[Machine]:
    """The kinds of machines, and how many, in an autoscaler's configuration; none if it does not say what they have."""
    types = {} if config is None else config["available_node_types"]
    return [
        Machine(resources={name: float(amount) for name, amount in kind["resources"].items()}, count=count)
        for kind in types.values()
        if (count := int(kind.get("max_workers", 0))) and kind.get("resources")
    ]


def _autoscaling() -> Mapping[str, Any] | None:
    """The autoscaler's configuration, which Ray keeps nowhere else; None where there is no autoscaler."""
    if "RAY_CLUSTER_NAME" in os.environ and (ACCOUNT / "namespace").exists():
        return _kuberay((ACCOUNT / "namespace").read_text(encoding="utf-8").strip(), os.environ["RAY_CLUSTER_NAME"])
    if LAUNCHER.expanduser().exists():
        return dict(yaml.safe_load(LAUNCHER.expanduser().read_text(encoding="utf-8")))
    return None


def _kuberay(namespace: str, name: str) -> Mapping[str, Any] | None:
    from ray.autoscaler._private.kuberay.node_provider import KubernetesHttpApiClient

    try:
        return of_kuberay(KubernetesHttpApiClient(namespace).get(f"rayclusters/{name}"))
    except requests.HTTPError:  # only the account of a cluster that grows may read it
        return None


def of_kuberay(cluster: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What Ray's autoscaler makes of a ``RayCluster``; None if it does not grow."""
    from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr

    if not cluster["spec"].get("enableInTreeAutoscaling"):
        return None
    return dict(_derive_autoscaling_config_from_ray_cr(cluster))

"""What is shipped to clusters, checked without one: launcher files, Kubernetes manifests, image, working directory."""

import copy
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.places import ROOT

RAY = pytest.importorskip("ray")
DOCS = ROOT / "docs" / "cluster"
SCHEMA = json.loads((ROOT / "tests" / "search" / "kuberay.schema.json").read_text(encoding="utf-8"))


def launcher(file: Path) -> Any:
    """The file as Ray's launcher completes it; these two functions are private to Ray and may move."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = prepare_config(yaml.safe_load(file.read_text(encoding="utf-8")))
    validate_config(config)
    return config


@pytest.mark.parametrize("file", [ROOT / "cluster.yaml", DOCS / "on-premise.yaml"], ids=lambda file: file.name)
def test_rays_own_schema_takes_the_launcher_files(file: Path, tmp_path: Path) -> None:
    config = launcher(file)
    assert config["max_workers"] >= 2
    starts = config["head_start_ray_commands"][-1], config["worker_start_ray_commands"][-1]
    assert all("RAY_AUTH_MODE=token" in command for command in starts)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(file.read_text(encoding="utf-8").replace("setup_commands:", "setup_command:", 1))
    with pytest.raises(jsonschema.ValidationError, match="setup_command"):
        launcher(wrong)


@pytest.fixture(params=["raycluster.yaml", "rayjob.yaml"])
def manifest(request: pytest.FixtureRequest) -> Any:
    return yaml.safe_load((DOCS / request.param).read_text(encoding="utf-8"))


def cluster_of(manifest: Any) -> Any:
    return manifest["spec"].get("rayClusterSpec", manifest["spec"])


def test_the_manifests_have_the_fields_of_kuberay(manifest: Any) -> None:
    jsonschema.validate(manifest, SCHEMA[manifest["kind"]] | {"$defs": SCHEMA["$defs"]})


@pytest.mark.parametrize("old", ["minReplicas", "rayStartParams", "template", "groupName"])
def test_a_misspelt_field_is_found(manifest: Any, old: str) -> None:
    wrong = copy.deepcopy(manifest)
    group = cluster_of(wrong)["workerGroupSpecs"][0]
    group[f"{old}s"] = group.pop(old)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, SCHEMA[wrong["kind"]] | {"$defs": SCHEMA["$defs"]})


def test_every_mounted_volume_exists_and_every_pod_runs_the_built_image(manifest: Any) -> None:
    cluster = cluster_of(manifest)
    for group in [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]:
        pod = group["template"]["spec"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
            assert container["image"].partition(":")[0] == "nars"


def test_the_job_runs_the_cluster_of_the_other_file_and_a_configuration_that_exists() -> None:
    job, cluster = (yaml.safe_load((DOCS / name).read_text()) for name in ("rayjob.yaml", "raycluster.yaml"))
    assert job["spec"]["rayClusterSpec"] == cluster["spec"]
    assert (ROOT / job["spec"]["entrypoint"].split()[4]).is_file()
    assert set(yaml.safe_load(job["spec"]["runtimeEnvYAML"])) == {"working_dir", "env_vars"}


def test_the_image_installs_what_the_repository_has() -> None:
    """Not built here: only that each copied file exists and that the installed extra is defined."""
    text = (DOCS / "Containerfile").read_text(encoding="utf-8")
    sources = re.findall(r"^COPY (?:--\S+ )*(\S+) ", text, flags=re.MULTILINE)
    assert sources == ["pyproject.toml", "README.md"]
    assert all((ROOT / source).is_file() for source in sources)
    extras = re.findall(r"/tmp/nars\[(\w+)\]", text)
    assert extras
    assert all(f"\n{extra} = [" in (ROOT / "pyproject.toml").read_text(encoding="utf-8") for extra in extras)
    versions = {yaml.safe_load((DOCS / "raycluster.yaml").read_text())["spec"]["rayVersion"]}
    assert set(re.findall(r"rayproject/ray:([0-9.]+)-py311", text)) == versions


def test_the_working_directory_is_far_below_the_upload_limit(tmp_path: Path) -> None:
    from ray._private.runtime_env.packaging import create_package

    target = tmp_path / "package.zip"
    create_package(str(ROOT), target, include_gitignore=True, excludes=[])
    assert target.stat().st_size < 20 * 2**20
    with zipfile.ZipFile(target) as package:
        names = package.namelist()
        assert sum(entry.file_size for entry in package.infolist()) < 100 * 2**20
    top = {name.split("/")[0] for name in names}
    assert {"search", "spaces", "trainables", "predictors", "configs", "pyproject.toml"} <= top
    assert not top & {"tests", "docs", ".git", ".venv", "runs"}

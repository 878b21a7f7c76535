"""Members run elsewhere: each runtime in a process that can import neither this project nor the other runtimes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.fresh import family as fresh

SCRIPTS = Path(fresh.__file__).parent
OURS = {"search", "spaces", "trainables", "predictors", "tests"}
BLOCKED = {
    "with_torch.py": OURS | {"onnxruntime", "onnx", "onnxscript", "mlflow", "ray"},
    "with_onnxruntime.py": OURS | {"torch", "timm", "onnx", "mlflow", "ray"},
    "with_mlflow.py": OURS | {"torch", "timm", "ray"},
}
BLOCK = """
import runpy, sys
from importlib.machinery import PathFinder
blocked = set(sys.argv.pop(1).split(","))
class Installed(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in blocked else super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Installed
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> fresh.Product:
    return fresh.product(tmp_path_factory.mktemp("runs") / "toy")


def right_answers(script: str, folder: Path, *arguments: str | Path) -> int:
    command = [sys.executable, "-c", BLOCK, ",".join(sorted(BLOCKED[script])), SCRIPTS / script, *arguments]
    done = subprocess.run(
        list(map(str, command)), cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout.split()[-1])


@pytest.mark.parametrize("script", [pytest.param("with_torch.py", marks=pytest.mark.nightly), "with_onnxruntime.py"])
@pytest.mark.parametrize("name", ["member-1", pytest.param("member-2", marks=pytest.mark.nightly)])
def test_a_members_files_reproduce_the_table(product: fresh.Product, tmp_path: Path, script: str, name: str) -> None:
    right = right_answers(script, tmp_path, product.folder / name, product.images)
    assert right == pytest.approx(product.right[name], abs=1)
    assert right > 0.5 * 360


def test_a_registered_member_reproduces_the_table(product: fresh.Product, tmp_path: Path) -> None:
    right = right_answers("with_mlflow.py", tmp_path, product.store, "models:/toy@best-2k", product.images)
    assert right == pytest.approx(product.right["member-2"], abs=1)

"""Members in environments of their own: real virtual environments with one runtime each, made by pip."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.fresh import family as fresh

pytestmark = pytest.mark.benchmark
SCRIPTS = Path(fresh.__file__).parent
PACKAGES = {
    "with_torch.py": ["torch", "timm"],
    "with_onnxruntime.py": ["onnxruntime"],
    # What the registered model itself asks for (its requirements.txt).
    "with_mlflow.py": ["mlflow", "onnxruntime", "onnx"],
}


@pytest.mark.parametrize("script", sorted(PACKAGES))
def test_a_new_environment_reproduces_the_table(tmp_path: Path, script: str) -> None:
    made = fresh.product(tmp_path / "toy")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES[script]], check=True)
    for number, (name, expected) in enumerate(made.right.items(), start=1):
        what = [made.store, f"models:/toy@best-{number}k"] if script == "with_mlflow.py" else [made.folder / name]
        command = [python, SCRIPTS / script, *what, made.images]
        environment = {"PATH": os.environ["PATH"], "MLFLOW_DISABLE_TELEMETRY": "true"}
        done = subprocess.run(
            list(map(str, command)), cwd=tmp_path, capture_output=True, text=True, check=False, env=environment
        )
        assert done.returncode == 0, done.stderr[-2000:]
        right = int(done.stdout.split()[-1])
        print(f"{script} {name}: {right} right, family.csv says {expected:.0f}")
        assert right == pytest.approx(expected, abs=1)

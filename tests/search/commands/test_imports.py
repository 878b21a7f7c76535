"""What commands must not import, which decides how long their first word takes."""

import subprocess
import sys
from pathlib import Path

from tests.places import ROOT

SLOW = ("torch", "timm", "torchvision", "lightly", "ray", "mlflow", "optuna", "sqlalchemy")
"""Seconds of processor time together; nothing that trains no network needs one of them."""

CONFIG = """
name: small
runs: RUNS
data: {source: digits}
space: {name: tiny, restrict: {architecture.resolution: [8]}}
limits: {max_macs: 100k}
family: {max_macs: [6k, 20k, 60k]}
"""

PROGRAM = """
import sys
from search.__main__ import main
for words, code in zip(sys.argv[1::2], sys.argv[2::2]):
    assert main(words.split()) == int(code), words
    print("imported:", words, [name for name in %r if name in sys.modules])
"""


def test_commands_that_train_nothing_import_nothing_that_trains(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.replace("RUNS", str(tmp_path / "runs")))
    (tmp_path / "bad.yaml").write_text("nmae: x")
    commands = {
        f"check {config}": 0,
        f"check {tmp_path}/bad.yaml": 2,
        f"run {tmp_path}/bad.yaml": 2,
        "components": 0,
        "spaces": 0,
        f"report {tmp_path}/nowhere": 2,
        f"resume {tmp_path}/nowhere": 2,
    }
    words = [word for command, code in commands.items() for word in (command, str(code))]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM % (SLOW,), *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("imported:")]
    assert lines == [f"imported: {command} []" for command in commands]

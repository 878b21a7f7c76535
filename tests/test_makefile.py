"""What `make` would start, without starting it."""

import shutil
import subprocess

import pytest

from tests.places import ROOT


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not on PATH")
def test_the_dashboard_opens_both_pages_of_a_run_on_loopback_only() -> None:
    command = ["make", "--dry-run", "--old-file=.venv", "dashboard", "RUN=runs/mine"]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert lines.count("--host 127.0.0.1") == 2
    assert "optuna-dashboard --host 127.0.0.1 --port 8080 runs/mine/study.journal" in lines
    assert "sqlite:///runs/mine/mlflow.db" in lines
    assert "kill $!" in lines

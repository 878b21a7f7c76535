"""What `make` would start, with stand-ins for the programs that it starts."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.places import ROOT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not on PATH")

PYTHON = """#!/bin/sh
echo "python $*" >> calls
case "$*" in
*venv*) mkdir -p .venv/bin; cp "$0" .venv/bin/python; cp uv .venv/bin/uv ;;
*--editable*) exit $EDITABLE ;;
esac
"""
UV = """#!/bin/sh
echo "uv $*" >> calls
exit $PINS
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder whose Python and uv only write down how they were called."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
        os.utime(tmp_path / name, (1_000_000_000, 1_000_000_000))
    for name, text in (("python", PYTHON), ("uv", UV)):
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def make_environment(place: Path, *, pins: int = 0, editable: int = 0) -> tuple[subprocess.CompletedProcess[str], str]:
    """``make .venv`` where installing the pins and installing without them exit as given; what was called."""
    (place / "calls").write_text("", encoding="utf-8")
    environment = os.environ | {"MAKEFLAGS": "", "PINS": str(pins), "EDITABLE": str(editable)}
    command = ["make", ".venv", f"PYTHON={place / 'python'}"]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    return done, (place / "calls").read_text(encoding="utf-8")


def test_the_environment_has_the_pins_and_is_made_once(place: Path) -> None:
    done, calls = make_environment(place)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--no-deps --requirement requirements.lock" in calls
    assert "--no-deps --no-build-isolation --editable ." in calls  # the command `nars`
    assert "[dev]" not in calls
    assert make_environment(place)[1] == ""


def test_a_changed_pin_renews_the_environment(place: Path) -> None:
    make_environment(place)
    os.utime(place / "requirements.lock", (9_000_000_000, 9_000_000_000))
    assert "requirements.lock" in make_environment(place)[1]


def test_without_a_pin_for_this_platform_the_bounds_are_installed(place: Path) -> None:
    done, calls = make_environment(place, pins=1)
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert "requirements.lock does not fit here" in done.stderr
    assert "--editable .[dev]" in calls


def test_an_environment_that_failed_is_made_again(place: Path) -> None:
    assert make_environment(place, pins=1, editable=1)[0].returncode == 2
    assert "venv" in make_environment(place)[1]


def test_the_dashboard_opens_both_pages_of_a_run_on_loopback_only() -> None:
    command = ["make", "--dry-run", "--old-file=.venv", "dashboard", "RUN=runs/mine"]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert lines.count("--host 127.0.0.1") == 2
    assert "optuna-dashboard --host 127.0.0.1 --port 8080 runs/mine/study.journal" in lines
    assert "sqlite:///runs/mine/mlflow.db" in lines
    assert "kill $!" in lines

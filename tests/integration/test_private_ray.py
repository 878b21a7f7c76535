"""A whole search on a Ray of its own."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from search.__main__ import main
from tests.places import ROOT
from tests.runs import command, configuration, facts
from tests.search.products import without_graphs

pytest.importorskip("ray")


@pytest.mark.slow
def test_a_search_under_ray_is_the_serial_one_and_prints_nothing_of_ray(tmp_path: Path) -> None:
    """One trial at a time, as in the serial one."""
    short = {"trials": "4, initial: 3, batch: 1, references: none", "budgets": "[60k]", "repeats": 0}
    with without_graphs():
        assert main(["run", str(configuration(tmp_path, "serial", **short))]) == 0
    file = configuration(tmp_path, "small", executor="ray_tune", workers="1, concurrent: 1", **short)
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    done = subprocess.run(command("run", file), cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert facts(tmp_path / "runs" / "small") == facts(tmp_path / "runs" / "serial")
    assert done.stderr == ""
    assert not re.search(r"\b(Ray|raylet|Tune|pid=|INFO|WARNING)\b", done.stdout), done.stdout

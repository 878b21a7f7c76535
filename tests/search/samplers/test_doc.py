"""The script in docs/sampler.md runs as it stands, in a process of its own; the notebook is that script."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.places import ROOT

NOTEBOOK = ROOT / "docs" / "sampler.ipynb"


def script_of_the_page() -> str:
    (block,) = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "docs" / "sampler.md").read_text(), re.MULTILINE | re.DOTALL
    )
    return block


def code_cells() -> list[str]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_the_notebook_is_the_script() -> None:
    begin, *cells = code_cells()
    assert begin.startswith("import sys")
    assert "\n".join(cells).split() == script_of_the_page().split()


@pytest.mark.slow
def test_the_notebook_runs_from_its_folder() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(code_cells())],
        cwd=NOTEBOOK.parent,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("macs: ") == 3


def test_the_script_runs(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(script_of_the_page())
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning:__main__", str(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    printed = re.findall(r"at most (\d+) macs: (0\.\d+) with \{.*?'width': (\d+)", done.stdout)
    assert [int(budget) for budget, _, _ in printed] == [600, 1200, 2400], done.stdout
    assert all(74 * int(width) <= int(budget) for budget, _, width in printed)
    trained = [int(width) for width in re.findall(r"'width': (\d+)", done.stderr)]
    assert len(trained) == 20  # Optuna logs each trial
    assert 74 * max(trained) <= 2400  # the loosest budget is a hard limit
    accuracy = [float(value) for _, value, _ in printed]
    assert accuracy == sorted(accuracy)
    assert accuracy[-1] > 0.8

"""No file can grow beyond a bound, as on a full disk: a sentence, and nothing of what had ended is lost."""

import resource
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.places import ROOT
from tests.runs import command, configuration, facts, search

pytestmark = pytest.mark.nightly

DRAWN = np.exp(np.random.default_rng(0).uniform(np.log(400), np.log(400_000), 4)).astype(int).tolist()
BOUNDS = (400, 20_000, 45_000, 60_000, 90_000, 400_000, *DRAWN)
"""Bytes: the configuration, the journal at several moments, a network, the report; and drawn ones."""


@pytest.mark.parametrize("bound", BOUNDS)
def test_a_full_disk_is_a_sentence_and_a_resume_goes_on(bound: int, product: Path, tmp_path: Path) -> None:
    file = configuration(tmp_path, "small")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bound, resource.RLIM_INFINITY))

    done = subprocess.run(command("run", file), cwd=ROOT, capture_output=True, text=True, check=False, preexec_fn=limit)
    assert done.returncode == 2, done.stderr
    assert "the disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert search("run", file).returncode == 0
    assert facts(tmp_path / "runs" / "small") == facts(product)

"""SIGKILL at moments drawn with a seed, in final training, in its hand-over and in ``export``: nothing half is seen."""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.family.candidates import write_candidates
from search.family.members import load_family
from search.files import check_sums
from search.setting.config import read
from search.setting.setting import prepare
from spaces.sampling import uniform
from tests.integration.test_run import ROOT, SMALL_NETWORKS, command, search
from tests.search.products import load_weights

pytestmark = pytest.mark.slow

TEXT = (
    """
name: alone
data: {source: digits, validation: 0.3}
"""
    + SMALL_NETWORKS
    + """\
family: {max_macs: [20k, 60k], epochs: 8, teachers: 1}
run: {executor: serial}
tracking: {enabled: false}
"""
)


def killed(words: list[str], under_way: Callable[[], bool], pause_s: float) -> bool:
    """Start a command, and end it ``pause_s`` after it is under way; False if it was done before."""
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 300
        while not under_way():
            assert process.poll() is None, process.stderr and process.stderr.read().decode()[-2000:]
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(pause_s)
    finally:
        process.kill()
        process.communicate()
    return process.returncode == -signal.SIGKILL


def check_whole(family: Path) -> None:
    """Whatever a reader finds is whole: members with their sums, and tables only beside all their members."""
    for member in family.glob("member-*"):
        check_sums(member)
        load_weights(member)
    if (family / "family.json").exists():
        assert all((family / member.name).is_dir() for member in load_family(family).members)


def content(family: Path) -> dict[str, Any]:
    """What a family is, without what the clock decided."""
    members = [{**m.to_dict(), "latency_ms": None, "spent": None} for m in load_family(family).members]
    names = sorted(path.name for path in family.iterdir())
    weights = {m["name"]: {k: v.tolist() for k, v in load_weights(family / m["name"]).items()} for m in members}
    return {"members": members, "names": names, "weights": weights}


def writing(folder: Path) -> Callable[[], bool]:
    return lambda: any(folder.glob(".member-*.tmp"))


def newer(folder: Path) -> Callable[[], bool]:
    """Whether a checkpoint was written since now."""

    def state() -> dict[str, int]:
        found = {}
        for path in folder.glob("*.pt"):
            try:
                found[path.name] = path.stat().st_mtime_ns
            except FileNotFoundError:  # replaced meanwhile
                continue
        return found

    before = state()
    return lambda: state() != before


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Candidates, a configuration, and the folder of an undisturbed training."""
    folder = tmp_path_factory.mktemp("undisturbed")
    file, candidates = folder / "config.yaml", folder / "candidates.json"
    file.write_text(TEXT)
    setting = prepare(read(file))
    codes_ND = uniform(setting.space, 64, np.random.default_rng(0))
    cheapest_first = np.argsort([statistics.macs for statistics in setting.statistics(codes_ND)])
    write_candidates(setting.space.decode(codes_ND[cheapest_first[:2]]), candidates)
    done = search("train", candidates, "--config", file, "--to", folder / "whole")
    assert done.returncode == 0, done.stderr
    return candidates, file, folder / "whole"


def test_kills_in_final_training_and_in_its_hand_over(setup: tuple[Path, Path, Path], tmp_path: Path) -> None:
    candidates, file, undisturbed = setup
    draw, to = random.Random(0), tmp_path / "killed"
    words = command("train", candidates, "--config", file, "--to", to)
    for _ in range(2):
        assert killed(words, newer(to / "final"), draw.uniform(0, 0.3)), "training ended before the kill"
        assert not (to / "family").exists()
    for _ in range(2):
        assert killed(words, writing(to / "family"), draw.uniform(0, 0.8)), "the hand-over ended before the kill"
        check_whole(to / "family")
    done = search("train", candidates, "--config", file, "--to", to)
    assert done.returncode == 0, done.stderr
    check_whole(to / "family")
    assert content(to / "family") == content(undisturbed / "family")


def test_kills_in_export(setup: tuple[Path, Path, Path], tmp_path: Path) -> None:
    run, to = tmp_path / "run", tmp_path / "export"
    shutil.copytree(setup[2], run)
    assert search("export", run, "--to", tmp_path / "undisturbed").returncode == 0
    draw = random.Random(1)
    words = command("export", run, "--to", to)
    for _ in range(3):
        assert killed(words, writing(to), draw.uniform(0, 0.3)), "the export ended before the kill"
        check_whole(to)
    done = search("export", run, "--to", to)
    assert done.returncode == 0, done.stderr
    assert content(to) == content(tmp_path / "undisturbed")
    assert (to / "int8.csv").read_text() == (tmp_path / "undisturbed" / "int8.csv").read_text()

"""No configuration and no data folder ends `check` in a traceback, a hang or a silent wrong (docs/reliability.md)."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.reliability import configurations, folders
from tests.reliability.judging import Case, Verdict, judged

EVERY = 41
"""Of the cases, one of which the tests of a commit judge."""
SLOW = ("teachers", "gpus", "storage", "webdataset", "unlabelled", "shard", "checkpoints", "'sqlite", "4000 x")
"""What such names have in common imports libraries that take seconds."""


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched, and nothing of this machine's caches is read."""
    monkeypatch.setenv("NARS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def of_configurations(tmp_path: Path) -> Iterator[Case]:
    for case in configurations.cases():
        yield replace(case, content=case.content.replace(b"RUNS", str(tmp_path / "runs").encode()))


def of_folders(tmp_path: Path, every: int = 1) -> Iterator[Case]:
    for number, odd in enumerate(folders.cases()):
        if number % every == 0 and (every == 1 or is_fast(odd.name)):
            case = odd.case(tmp_path / f"data{number}")
            yield replace(case, content=case.content.replace(b"RUNS", str(tmp_path / "runs").encode()))


def is_fast(name: str) -> bool:
    return not any(word in name for word in SLOW)


def wrong(verdicts: Iterator[Verdict]) -> list[str]:
    return [f"{one.case.name}: {one.wrong}\n{one.shown[-400:]}" for one in verdicts if one.wrong]


def test_some_configurations(tmp_path: Path) -> None:
    some = [case for case in of_configurations(tmp_path) if is_fast(case.name)][::EVERY]
    assert len(some) >= 20
    assert not wrong(judged(case, tmp_path) for case in some)


def test_some_data_folders(tmp_path: Path) -> None:
    assert not wrong(judged(case, tmp_path) for case in of_folders(tmp_path, EVERY))


@pytest.mark.nightly
def test_all_configurations(tmp_path: Path) -> None:
    cases = list(of_configurations(tmp_path))
    assert len(cases) >= 400
    assert not wrong(judged(case, tmp_path) for case in cases)
    assert not Path("/tmp/owned").exists()


@pytest.mark.nightly
@pytest.mark.skipif(os.name != "posix", reason="pipes, links and rights of files")
def test_all_data_folders(tmp_path: Path) -> None:
    assert not wrong(judged(case, tmp_path) for case in of_folders(tmp_path))

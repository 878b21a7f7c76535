"""SIGKILL in final training, in its hand-over and in ``export``: nothing half is seen, and the end is the same."""

import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from search.__main__ import main
from search.family.members import load_family
from search.files import check_sums
from search.problem.candidates import write_candidates
from tests.processes import At, searching
from tests.runs import configuration
from tests.search.products import load_weights

pytestmark = pytest.mark.slow


def check_whole(family: Path) -> None:
    """Whatever a reader finds is whole: members with their sums, and tables only beside all their members."""
    for member in family.glob("member-*"):
        check_sums(member)
    if (family / "family.json").exists():
        assert all((family / member.name).is_dir() for member in load_family(family).members)


def content(family: Path) -> dict[str, Any]:
    """What a family is, without what the clock decided."""
    members = [{**m.to_dict(), "latency_ms": None, "spent": None} for m in load_family(family).members]
    files = {path.relative_to(family).as_posix() for path in family.glob("member-*/**/*")}
    weights = {m["name"]: {k: v.tolist() for k, v in load_weights(family / m["name"]).items()} for m in members}
    return {"members": members, "files": files, "weights": weights}


def without_times(export: Path) -> list[list[str]]:
    """The table of the 8-bit models, without what the clock decided."""
    table = pd.read_csv(export / "int8.csv")
    assert {"latency_ms", "int8_latency_ms"} & set(table.columns)
    return table.drop(columns=[name for name in table.columns if "latency" in name]).astype(str).to_numpy().tolist()


def train_words(product: Path, folder: Path) -> tuple[str | Path, ...]:
    """The command that trains the product's candidates again below a folder."""
    candidates, config = folder / "candidates.json", configuration(folder, "alone", teachers=0)
    write_candidates([member.candidate for member in load_family(product / "family").members], candidates)
    return ("train", candidates, "--config", config, "--to", folder / "to")


@pytest.fixture(scope="module")
def undisturbed(product: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The family of the product's candidates, trained again without a kill."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert main([str(word) for word in train_words(product, folder)]) == 0
    return folder / "to" / "family"


def train_killed(product: Path, undisturbed: Path, folder: Path, moments: tuple[At, ...]) -> None:
    """Train the product's candidates again, killed at each of the moments; it ends in the same family."""
    words, to = train_words(product, folder), folder / "to"
    for at in moments:
        with searching(folder, *words, at=at) as killed:
            assert killed.code == -signal.SIGKILL, (at, killed.error.read_text())
        assert not (to / "family" / "family.json").exists()
        check_whole(to / "family")
    assert main([str(word) for word in words]) == 0
    check_whole(to / "family")
    assert content(to / "family") == content(undisturbed)


def test_kills_in_final_training_and_in_its_hand_over(product: Path, undisturbed: Path, tmp_path: Path) -> None:
    """In the second training; in the second export."""
    moments = (
        At("trainables.training.checkpoint:Checkpoint.save", call=3, after=True),
        At("search.files:_write_sums", call=2),
    )
    train_killed(product, undisturbed, tmp_path, moments)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(6))
def test_kills_anywhere_in_final_training_and_in_its_hand_over(
    product: Path, undisturbed: Path, tmp_path: Path, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    moments = [At("os:fsync", int(rng.integers(1, 8)), bool(rng.integers(2))) for _ in range(4)]
    train_killed(product, undisturbed, tmp_path, tuple(moments))


def test_kills_in_export(product: Path, tmp_path: Path) -> None:
    """In the first member, between members and tables, while a member takes the place of the one exported before."""
    run, to = shutil.copytree(product, tmp_path / "run"), tmp_path / "export"
    assert main(["export", str(run), "--to", str(tmp_path / "undisturbed")]) == 0
    moments = (
        At("search.files:_write_sums"),
        At("search.family.members:Family.save"),
        At("pathlib:Path.rename", call=2),
    )
    for at in moments:
        with searching(tmp_path, "export", run, "--to", to, at=at) as killed:
            assert killed.code == -signal.SIGKILL, (at, killed.error.read_text())
        assert not (to / "family.json").exists()
        check_whole(to)
    assert main(["export", str(run), "--to", str(to)]) == 0
    check_whole(to)
    assert content(to) == content(tmp_path / "undisturbed")
    assert without_times(to) == without_times(tmp_path / "undisturbed")

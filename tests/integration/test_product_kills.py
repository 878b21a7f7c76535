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
from spaces.candidate import Candidate
from tests.processes import At, searching
from tests.runs import configuration, trials
from tests.search.products import load_weights

pytestmark = [pytest.mark.slow, pytest.mark.nightly]


def check_whole(family: Path) -> None:
    """Whatever a reader finds is whole: members with their sums, and tables only beside all their members."""
    for member in family.glob("member-*"):
        check_sums(member)
    if (family / "family.json").exists():
        assert all((family / member.name).is_dir() for member in load_family(family).members)


def content(family: Path) -> dict[str, Any]:
    """What a family is, without what the clock decided."""
    clocked = dict.fromkeys(("latency_ms", "latency_spread_ms", "spent"))
    members = [{**member.to_dict(), **clocked} for member in load_family(family).members]
    files = {path.relative_to(family).as_posix() for path in family.glob("member-*/**/*")}
    weights = {m["name"]: {k: v.tolist() for k, v in load_weights(family / m["name"]).items()} for m in members}
    return {"members": members, "files": files, "weights": weights}


def without_times(export: Path) -> list[list[str]]:
    """The table of the 8-bit models, without what the clock decided."""
    table = pd.read_csv(export / "int8.csv")
    assert {"latency_ms", "int8_latency_ms"} & set(table.columns)
    return table.drop(columns=[name for name in table.columns if "latency" in name]).astype(str).to_numpy().tolist()


def two_candidates(product: Path) -> list[Candidate]:
    """That of the cheapest member, and of the larger trials the worst, which is no member."""
    cheapest = load_family(product / "family").members[0]
    larger = [one for one in trials(product) if one.statistics.macs > cheapest.macs and one.purpose == "search"]
    return [cheapest.candidate, min(larger, key=lambda one: one.reports[-1].accuracy).candidate]


def train_words(product: Path, folder: Path) -> tuple[str | Path, ...]:
    """The command that trains two of the product's candidates below a folder."""
    candidates, config = folder / "candidates.json", configuration(folder, "alone", teachers=0)
    write_candidates(two_candidates(product), candidates)
    return ("train", candidates, "--config", config, "--to", folder / "to")


@pytest.fixture(scope="module")
def undisturbed(product: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of the product's candidates, trained without a kill; both are handed over, whichever is better."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert main([str(word) for word in train_words(product, folder)]) == 0
    assert [m.candidate for m in load_family(folder / "to" / "family").members] == two_candidates(product)
    return folder / "to" / "family"


def train_killed(product: Path, undisturbed: Path, folder: Path, moments: tuple[At, ...]) -> None:
    """Train two of the product's candidates, killed at each of the moments; it ends in the same family."""
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


@pytest.mark.parametrize("seed", range(6))
def test_kills_anywhere_in_final_training_and_in_its_hand_over(
    product: Path, undisturbed: Path, tmp_path: Path, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    moments = [At("os:fsync", int(rng.integers(1, 8)), bool(rng.integers(2))) for _ in range(4)]
    train_killed(product, undisturbed, tmp_path, tuple(moments))


IN_EXPORT = (
    At("search.files:_write_sums"),
    At("search.family.members:Family.save"),
    At("pathlib:Path.rename", call=2),
)
"""In the first member, between members and tables, while a member takes the place of the one exported before."""


def test_kills_in_export(product: Path, tmp_path: Path) -> None:
    run, to = shutil.copytree(product, tmp_path / "run"), tmp_path / "export"
    assert main(["export", str(run), "--to", str(tmp_path / "undisturbed")]) == 0
    for at in IN_EXPORT:
        with searching(tmp_path, "export", run, "--to", to, at=at) as killed:
            assert killed.code == -signal.SIGKILL, (at, killed.error.read_text())
        assert not (to / "family.json").exists()
        check_whole(to)
    assert main(["export", str(run), "--to", str(to)]) == 0
    check_whole(to)
    assert content(to) == content(tmp_path / "undisturbed")
    assert without_times(to) == without_times(tmp_path / "undisturbed")

"""Damaged, edited, moved and copied runs: every command ends in work or in a sentence."""

import os
import shutil
from pathlib import Path

import pytest

from search.__main__ import main
from search.family.members import load_family
from tests.nights import by_night
from tests.runs import trials
from tests.search.products import without_graphs
from tests.search.repair.damages import DAMAGES

CHANGED = [name for name in DAMAGES if name not in ("final trainings gone", "report a folder", "log a folder")]
"""What `repair` sees; the others are no damage, or show when the file is to be written."""
HARMLESS = {
    "a NUL in runs": "a run is where it is, whatever the file says",
    "family gone": "a resume writes it",
    "checkpoints a file": "seen by a resume alone",
    "warm start no JSON": "seen by a resume alone",
    "sent no number": "everything is sent again",
    "journal with lines twice": "the same entries again",
}
MENDED = ("configuration gone", "identity gone", "journal with a bad line", "left by a process that died")
MENDED_NIGHTLY = ("another seed", "identity cut", "identity of a later version", "queue with a bad line")
"""What is mended without a resume."""


@pytest.fixture
def run(product: Path, tmp_path: Path) -> Path:
    """A copy of a finished run whose large files are links to the same files, which nothing changes in place."""

    def link(source: str, target: str) -> None:
        if source.endswith((".safetensors", ".json", ".yaml", ".journal", "sent", ".jsonl")):
            shutil.copy2(source, target)
        else:
            os.link(source, target)

    return shutil.copytree(product, tmp_path / "run", copy_function=link)


def ends_in_a_sentence(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> int:
    """The exit code of a command, whose words on a mistake are one short line."""
    code = main(arguments)
    shown = capsys.readouterr()
    assert code in (0, 2), (arguments, code, shown.err)
    assert "Traceback" not in shown.out + shown.err
    if code == 2:
        assert shown.err.startswith("error: ")
        assert len(shown.err.splitlines()) == 1, shown.err
        assert len(shown.err) < 1000
    return code


@pytest.mark.parametrize("name", DAMAGES)
def test_repair_says_what_is_wrong(name: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    DAMAGES[name](run)
    before = sorted(path.name for path in run.rglob("*"))
    code = main(["repair", str(run), "--look"])
    shown = capsys.readouterr()
    assert code in (0, 2), shown.err
    assert "Traceback" not in shown.err
    assert sorted(path.name for path in run.rglob("*")) == before
    if name in CHANGED and name not in HARMLESS:
        assert "wrong: " in shown.out, shown


@pytest.mark.parametrize("name", by_night((*MENDED, *MENDED_NIGHTLY), MENDED_NIGHTLY))
def test_what_can_be_mended_is_mended(name: str, run: Path, product: Path, capsys: pytest.CaptureFixture[str]) -> None:
    DAMAGES[name](run)
    assert main(["repair", str(run)]) == 0
    assert "mended: " in capsys.readouterr().out
    assert main(["repair", str(run), "--look"]) == 0
    assert "nothing is wrong" in capsys.readouterr().out
    assert trials(run) == trials(product)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "member gone",
        pytest.param("family no JSON", marks=pytest.mark.nightly),
        pytest.param("family of another run", marks=pytest.mark.nightly),
    ],
)
def test_a_family_is_written_again_from_its_checkpoints(name: str, run: Path, product: Path) -> None:
    DAMAGES[name](run)
    with without_graphs():
        assert main(["repair", str(run)]) == 0
    again, before = load_family(run / "family"), load_family(product / "family")
    assert [(one.macs, one.test_accuracy) for one in again.members] == [
        (one.macs, one.test_accuracy) for one in before.members
    ]
    assert again.study == before.study


def test_no_run_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ends_in_a_sentence(["repair", str(tmp_path)], capsys) == 2


MOVED = {
    "renamed": lambda run: run.rename(run.with_name("other")),
    "moved": lambda run: Path(shutil.move(run, run.parent / "a b" / "läuft #1")),
    "copied": lambda run: shutil.copytree(run, run.with_name("copy")),
    "linked": lambda run: _linked(run),
}


def _linked(run: Path) -> Path:
    run.with_name("link").symlink_to(run)
    return run.with_name("link")


@pytest.mark.nightly
@pytest.mark.parametrize("name", [*DAMAGES, *MOVED])
def test_every_command_ends_in_work_or_in_a_sentence(
    name: str, product: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("report", "export", "evolve", "resume", "repair"):
        run = shutil.copytree(product, tmp_path / command / "run")
        if name in DAMAGES:
            DAMAGES[name](run)
        else:
            (run.parent / "a b").mkdir()
            run = MOVED[name](run)
        options = ["--to", str(tmp_path / command / "exported")] if command == "export" else []
        code = ends_in_a_sentence([command, str(run), *options], capsys)
        assert code == 0 or name in DAMAGES

"""The command line as a whole: which commands there are, and how they end."""

import argparse
import errno
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from search.__main__ import main, parser
from search.errors import Fault
from search.words import as_called
from spaces import components
from spaces.components import COMMANDS
from spaces.mistake import Mistake
from tests.places import ROOT

FILES = {file.stem for file in (ROOT / "search" / "commands").glob("[!_]*.py")}


def test_every_file_is_a_command() -> None:
    assert set(components.names(COMMANDS)) == FILES


@pytest.mark.parametrize("name", components.names(COMMANDS))
def test_a_command_has_a_summary_and_arguments(name: str) -> None:
    summary = components.summary(COMMANDS, name)
    assert 10 < len(summary) <= 100
    assert summary.endswith(".")
    assert "python -m" not in summary
    components.load(COMMANDS, name).add_arguments(argparse.ArgumentParser())


@pytest.mark.parametrize("name", components.names(COMMANDS))
def test_the_example_of_a_command_is_a_call_of_it(name: str) -> None:
    words = shlex.split(components.load(COMMANDS, name).EXAMPLE.partition(" > ")[0])
    assert words[0] == name
    assert parser([name]).parse_args(words).command == name


def test_sentences_name_commands_as_the_program_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = "start one with: python -m search run CONFIG"
    assert as_called(sentence) == sentence
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/nars", "report", "x"])
    assert as_called(sentence) == "start one with: nars run CONFIG"
    assert parser(["run"]).prog == "nars"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_shells_complete_commands_and_their_options(
    shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["nars"])
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(name in script for name in FILES)
    assert "--warm-start" in script
    if shutil.which(shell):
        assert subprocess.run([shell, "-n"], input=script, text=True, check=False).returncode == 0


def test_only_nars_can_be_completed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 2
    assert "nars completion bash" in capsys.readouterr().err


def test_the_help_of_every_command_needs_no_large_library() -> None:
    code = (
        "import sys\nfrom search.__main__ import main\n"
        "for words in [[], *([name] for name in sys.argv[1:])]:\n"
        "    try:\n        main([*words, '--help'])\n"
        "    except SystemExit as end:\n        assert end.code == 0\n"
        "    large = {'torch', 'ray', 'mlflow', *([] if words else ['optuna', 'numpy'])} & set(sys.modules)\n"
        "    assert not large, (words, large)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *FILES], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    for name in FILES:
        assert f"{name} {components.summary(COMMANDS, name)}" in text
        assert f"usage: python -m search {name} [-h]" in text


@pytest.mark.parametrize("name", components.names(COMMANDS))
def test_the_readme_names_the_command(name: str) -> None:
    assert f"python -m search {name}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_an_unknown_command_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["serach"])
    assert end.value.code == 2
    assert "invalid choice: 'serach'" in capsys.readouterr().err


def end_of(error: BaseException, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    """The exit code of a command that raises."""

    def run(arguments: argparse.Namespace) -> None:
        raise error

    monkeypatch.setattr(components.load(COMMANDS, "spaces"), "run", run)
    return main(["spaces", *options])


def test_a_command_that_is_interrupted_while_it_begins_ends_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(module: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(components, "names", interrupted)
    assert main(["spaces"]) == 130
    assert capsys.readouterr().err.startswith("stopped; ")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (Mistake("it is odd"), 2, "error: it is odd\n"),
        (KeyboardInterrupt(), 130, "resume"),
        (KeyboardInterrupt(signal.SIGHUP), 129, "resume"),
        (OSError(errno.ENOSPC, "No space left on device", "/x/y"), 2, "error: the disk is full ('/x/y'); free"),
        (RuntimeError("(sqlite3.OperationalError) database or disk is full"), 2, "error: the disk is full; free"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 2, "'/x' must not be read or written by this user"),
        (MemoryError(), 2, "not enough memory"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "/x", None, "/y"), 2, "'/y' is a folder, where a file is"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/x/y"), 2, "'/x/y' is a file or lies below one"),
        (
            OSError(errno.EROFS, "Read-only file system", "/x/.lock"),
            2,
            "'/x/.lock' is on a disk that cannot be written; ",
        ),
        (OSError(errno.EFBIG, "File too large", "/x"), 2, "the disk is full ('/x')"),
    ],
)
def test_a_command_ends_with_a_sentence(
    error: BaseException, code: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end_of(error, monkeypatch) == code
    assert words in capsys.readouterr().err


def test_a_fault_of_the_program_is_a_sentence_and_its_trace_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert end_of(ValueError("operands of postgresql://me:secret@host/db"), monkeypatch) == 70
    shown = capsys.readouterr().err
    (log,) = tmp_path.glob("nars-fault-*.log")
    assert shown.startswith("fault of the program, not yours: ValueError: operands")
    assert f"'{log}'" in shown
    assert "Traceback" not in shown
    assert len(shown.splitlines()) == 1
    assert "Traceback" in log.read_text()
    assert "postgresql://me:***@host/db" in log.read_text()
    assert "secret" not in log.read_text() + shown


def test_a_trace_is_shown_on_demand(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert end_of(ValueError("operands"), monkeypatch, "--verbose") == 70
    assert "Traceback" in capsys.readouterr().err


def test_a_fault_within_a_run_names_the_log_of_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fault = Fault(tmp_path / "search.log")
    fault.__cause__ = ZeroDivisionError("x / 0")
    assert end_of(fault, monkeypatch) == 70
    assert f"ZeroDivisionError: x / 0; its details are in '{tmp_path / 'search.log'}'" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_fault() -> None:
    done = subprocess.run(
        f"set -o pipefail; {sys.executable} -m search components | true",
        shell=True, executable="/bin/bash", cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_help_that_cannot_be_written_is_a_sentence() -> None:
    words = [sys.executable, "-m", "search", "--help"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(words, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the disk is full")


def test_streams_that_are_closed_are_opened_into_nothing() -> None:
    """A file that a command opens must not become the stream that libraries print to."""
    code = (
        "import os, sys; from search.__main__ import main; code = main(['components']); "
        "file = os.open(os.devnull, os.O_RDONLY); sys.exit(code if file > 2 else 1)"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(["bash", "-c", f"{shlex.join(words)} <&- >&- 2>&-"], cwd=ROOT, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("words", [("fidelity", "nowhere"), ("replay",)])
def test_results_that_cannot_be_written_are_told_first(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--out", "/proc/x"]) == 2
    assert "'/proc/x' cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("resume", "holds no run (it has no config.yaml)"),
        ("report", "holds no run"),
        ("evolve", "holds no run"),
        ("export --to x", "holds no run"),
    ],
)
def test_a_folder_without_a_run_is_told(
    command: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *options = command.split()
    assert main([name, str(tmp_path), *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("report", "has no family yet; finish it with: python -m search resume"),
        ("export --to x", "has no family yet"),
        ("train --to x", "has no family yet"),
        ("evolve", "has no study yet: nothing in it has been trained"),
    ],
)
def test_a_run_that_has_not_begun_is_told(
    command: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *options = command.split()
    (tmp_path / "config.yaml").write_text("name: new")
    assert main([name, str(tmp_path), *options]) == 2
    assert message in capsys.readouterr().err

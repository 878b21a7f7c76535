"""How a run ends when it is told to, and what it says of servers that are away."""

import io
import os
import signal
import socket
import time
from pathlib import Path

import pytest
from rich.console import Console

from search.console.progress import Progress
from search.errors import Fault
from search.experiment.ending import logged, terminated_is_interrupted
from search.experiment.running import tell_of_tracking
from search.setting.sections.tracking import TrackingSection
from spaces.mistake import Mistake


def signal_oneself(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(1)


def test_a_polite_end_is_an_interruption_even_where_ctrl_c_is_ignored() -> None:
    """As in a process that a shell without job control has started in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    at_first = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(KeyboardInterrupt), terminated_is_interrupted():
            signal_oneself(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGINT, before)
    assert signal.getsignal(signal.SIGTERM) is at_first


def test_a_terminal_that_closes_is_an_interruption_unless_it_is_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with pytest.raises(KeyboardInterrupt) as caught, terminated_is_interrupted():
            signal_oneself(signal.SIGHUP)
        assert caught.value.args == (signal.SIGHUP,)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with terminated_is_interrupted():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("error", "ends_as", "words"),
    [
        (ZeroDivisionError("x / 0"), Fault, "Traceback"),
        (Mistake("it is odd"), Mistake, "error: it is odd"),
        (KeyboardInterrupt(signal.SIGHUP), KeyboardInterrupt, "stopped by SIGHUP"),
        (KeyboardInterrupt(), KeyboardInterrupt, "stopped by SIGINT"),
    ],
)
def test_the_log_says_how_a_run_ended(
    error: BaseException, ends_as: type[BaseException], words: str, tmp_path: Path
) -> None:
    progress = Progress((), Console(quiet=True), log=tmp_path / "search.log")
    with pytest.raises(ends_as), logged(progress):
        raise error
    assert words in (tmp_path / "search.log").read_text()


def test_who_stops_a_run_is_told_at_once_that_it_stops(tmp_path: Path) -> None:
    shown = io.StringIO()
    progress = Progress((), Console(file=shown, width=100), log=tmp_path / "search.log")
    with pytest.raises(KeyboardInterrupt), logged(progress):
        raise KeyboardInterrupt
    assert "stopping: processes" in shown.getvalue()


def test_a_search_does_without_its_tracking_server(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{free.getsockname()[1]}"
        tell_of_tracking(TrackingSection(uri=uri))
    shown = capsys.readouterr().out
    assert f"tracking.uri '{uri}' does not answer" in shown
    assert "the search goes on" in shown
    tell_of_tracking(TrackingSection(uri=uri, enabled=False))
    assert not capsys.readouterr().out

"""The command that runs a search: how it ends when it is told to."""

import os
import signal
import time

import pytest

from search.experiment.running import _terminated_is_interrupted


def terminate_oneself() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(1)


def test_a_polite_end_is_an_interruption_even_where_ctrl_c_is_ignored() -> None:
    """As in a process that a shell without job control has started in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    at_first = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(KeyboardInterrupt), _terminated_is_interrupted():
            terminate_oneself()
    finally:
        signal.signal(signal.SIGINT, before)
    assert signal.getsignal(signal.SIGTERM) is at_first

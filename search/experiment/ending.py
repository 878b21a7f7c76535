"""How a run ends that does not end well: by a signal, a mistake or a fault, which its log names."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from search.console.progress import Progress
from search.errors import Fault, keep_trace
from spaces.mistake import Mistake


@contextlib.contextmanager
def logged(progress: Progress) -> Iterator[None]:
    """However the run ends, its log says why.

    Raises:
        Fault: in place of what is neither a user's mistake nor an interruption.
    """
    assert progress.log is not None
    try:
        yield
    except Mistake as mistake:
        progress.note(f"error: {mistake}")
        raise
    except KeyboardInterrupt as interrupt:
        name = signal.Signals(interrupt.args[0] if interrupt.args else signal.SIGINT).name
        progress.note(f"stopped by {name}; 'python -m search resume' goes on")
        with contextlib.suppress(OSError):  # the terminal may have gone
            progress.say("stopping: processes and what is sent to MLflow are brought to an end")
        raise
    except Exception as error:
        raise Fault(keep_trace(error, progress.log)) from error


@contextlib.contextmanager
def terminated_is_interrupted() -> Iterator[None]:
    """A polite end (``ray job stop``, a batch system, a terminal that closes) closes everything as Ctrl-C does.

    The interruption's argument is the number of the signal. What ``nohup`` ignores stays ignored.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        # Not by way of SIGINT, which a process started in the background by a shell without job control ignores.
        raise KeyboardInterrupt(number)

    heard = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) != signal.SIG_IGN]
    before = {one: signal.signal(one, interrupt) for one in heard}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)

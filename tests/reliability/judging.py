"""What `check` makes of a case, and whether that is right."""

import contextlib
import io
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Literal

from search.__main__ import main
from search.setting.text.sentences import LONGEST, MOST

LIMIT_S = 60
"""After which a case hangs."""

Expected = Literal["refused", "fine", "either"]
"""Exit code 2, 0, or one of the two where a drawn change may have hit what does not matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A configuration that is checked.

    Attributes:
        name: of the case.
        content: of the configuration's file.
        expected: what must come of it.
        words: of which one must be in what is printed, so that nothing is wrong without a word.
        quick: whether pixels are left out.
    """

    name: str
    content: bytes
    expected: Expected = "refused"
    words: tuple[str, ...] = ()
    quick: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of a case: what is wrong with it (nothing if empty), and what was printed."""

    case: Case
    wrong: str
    shown: str
    seconds: float


class Hang(BaseException):
    """A case takes longer than it may; not an ``Exception``, so that no code takes it for its own."""


def judged(case: Case, folder: Path) -> Verdict:
    """Check a configuration in this process.

    Args:
        case: whose file is written.
        folder: where.
    """
    file = folder / "config.yaml"
    file.write_bytes(case.content)
    out, err = io.StringIO(), io.StringIO()
    begun = time.monotonic()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            with _at_most(LIMIT_S):
                code: int | str = main(["check", *(["--quick"] if case.quick else []), str(file)])
        except Hang:
            code = "hang"
        except BaseException as error:  # what a terminal would show as a traceback
            code = f"traceback: {type(error).__name__}: {error}"
    wrong = _wrong(case, code, out.getvalue(), err.getvalue().replace(str(folder), ""))
    return Verdict(case=case, wrong=wrong, shown=out.getvalue() + err.getvalue(), seconds=time.monotonic() - begun)


def _wrong(case: Case, code: int | str, out: str, err: str) -> str:
    if code not in (0, 2) or "Traceback" in out + err:
        return f"ends with {code}"
    if code == 0 and case.expected == "refused":
        return "silently accepted"
    if code == 2 and case.expected == "fine":
        return "refused, though it is fine"
    if code == 2:
        lines = err.removeprefix("error: ").splitlines()
        if not lines or len(lines) > MOST or max(map(len, lines)) > LONGEST + 100:
            return f"{len(lines)} sentences of at most {max(map(len, lines), default=0)} characters"
    if case.words and not any(word in out + err for word in case.words):
        return f"none of {case.words} is said"
    return ""


@contextlib.contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)

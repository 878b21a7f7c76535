"""Figures and names as people write them."""

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spaces.mistake import Mistake

WARNING = "warning: "
"""Begins a sentence of a check that a run says as well."""


def amount(value: float) -> str:
    """``45_100`` -> ``45.1k``: three significant digits and a suffix."""
    value = float(f"{value:.3g}")  # first, so that 999_999 becomes 1M
    for suffix, unit in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= unit:
            return f"{value / unit:.3g}{suffix}"
    return f"{value:.3g}"


def rounded(value: float) -> str:
    """``127.3`` -> ``130``: two significant digits."""
    return amount(float(f"{value:.2g}"))


def duration(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"


def fraction(value: float) -> str:
    """``0.9671`` -> ``.967``: an accuracy or a share."""
    return re.sub(r"^(-?)0(?=\.)", r"\1", f"{value:.3f}")


def named(names: Iterable[str]) -> str:
    """``['recipe', 'pretraining', 'adaptation']`` -> ``recipe, pretraining and adaptation``."""
    every = list(names)
    return " and ".join([*([", ".join(every[:-1])] if every[1:] else []), *every[-1:]])


MODULE = "python -m search"
SUFFIXES = {"k": 1e3, "m": 1e6, "g": 1e9}


def parse_amount(value: Any) -> Any:
    """``'20M'`` -> 20e6; suffixes k, M, G. Anything else is left for the type's own check."""
    if isinstance(value, str):
        match = re.fullmatch(r"\s*((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?)\s*([kKmMgG]?)\s*", value)
        if match:
            return float(match[1]) * SUFFIXES.get(match[2].lower(), 1.0)
    return value


def program() -> str:
    """How this program was called: ``nars``, or ``python -m search`` from the repository's root."""
    return "nars" if Path(sys.argv[0]).stem == "nars" else MODULE


def as_called(text: str) -> str:
    """A text that names commands of this program, as the user calls it."""
    return text.replace(MODULE, program())


USER_AND_PASSWORD = re.compile(r"(\w://[^/@:\s'\"]*:)(?!\$\{\w+\}@)[^@\s'\"]+@")
NAMED_SECRET = re.compile(
    r"([?&](?:password|passwd|pwd|token|secret|key|access_key)=)(?!\$\{\w+\})[^&\s'\"]+", re.IGNORECASE
)


def masked(text: str) -> str:
    """A text without the passwords of its addresses: ``x://me:secret@host`` -> ``x://me:***@host``."""
    return NAMED_SECRET.sub(r"\1***", USER_AND_PASSWORD.sub(r"\1***@", text))


def expanded(address: str) -> str:
    """An address with the values of the environment variables that it names as ``${NAME}``.

    Raises:
        Mistake: a variable is not set.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise Mistake(f"'{masked(address)}' needs the environment variable {match[1]}, which is not set; export it")
        return os.environ[match[1]]

    return re.sub(r"\$\{(\w+)\}", value, address)

"""Cases of a test that are run by night alone."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def by_night(names: Iterable[str], slow: Collection[str]) -> list[Any]:
    """Values for ``parametrize``: all names, of which the slow ones are nightly."""
    return [pytest.param(name, marks=pytest.mark.nightly) if name in slow else name for name in names]

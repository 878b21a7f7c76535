"""A storage that is away for a while is asked again; what it may have done before it went is not done twice."""

import logging
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import DBAPIError

from search.errors import brief
from spaces.mistake import Mistake

T = TypeVar("T")
LOG = logging.getLogger(__name__)
AWAY = (StorageInternalError, DBAPIError)
"""What Optuna's RDB storage raises when its server restarts or cannot be reached."""


class StorageError(Mistake):
    """The study's storage cannot be opened or stayed away; nothing that it has confirmed is lost."""


def waits(longest: float = 120.0) -> Iterator[float]:
    """Seconds to wait before each further try: doubling from 0.2 to 15, ``longest`` in all."""
    wait, spent = 0.2, 0.0
    while spent < longest:
        yield wait
        spent += wait
        wait = min(2 * wait, 15.0)


def patiently(act: Callable[[], T], longest: float = 120.0) -> T:
    """Do what can be repeated without harm until the storage answers.

    Raises:
        StorageError: it did not for ``longest`` seconds.
    """
    cause: Exception | None = None
    for wait in waits(longest):
        try:
            return act()
        except AWAY as error:
            if cause is None:
                LOG.warning("the study's storage does not answer (%s); trying again", _short(error))
            cause = error
            time.sleep(wait)
    raise StorageError(
        f"the study's storage did not answer for {longest:.0f} seconds ({_short(cause)}); "
        "start it again, then go on with: python -m search resume"
    ) from cause


def _short(error: BaseException | None) -> str:
    source = error.__cause__ if isinstance(error, StorageInternalError) else error
    return brief(source) if source else ""

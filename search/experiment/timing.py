"""How long the stages of a run take, over all its attempts; kept with the study."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from search.record.study import Study

PREFIX = "seconds."
"""Of the study's notes that hold the seconds of a stage."""


@contextmanager
def timed(study: Study, stage: str) -> Iterator[None]:
    """Add the time that the block takes to the stage's."""
    began = time.monotonic()
    try:
        yield
    finally:
        add(study, stage, time.monotonic() - began)


def add(study: Study, stage: str, seconds: float) -> None:
    """Add seconds to the stage's."""
    key = f"{PREFIX}{stage}"
    study.note(key, round(float(study.notes.get(key, 0.0)) + seconds, 2))

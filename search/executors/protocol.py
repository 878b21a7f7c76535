"""What an executor offers.

Its file states ``OFFERS``: which keys of the sections ``run`` and ``ray`` it can do, by the names in
``search.setting.checks.sections``, which refuses the rest before anything is imported.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from search.executors.work import Failure, Later, Outcome, Workplace
from trainables.final.jobs import FinalJob
from trainables.job import Job, Report


class Executor(Protocol):
    """Where trials and final trainings run. Constructed with a ``Workplace``; used as a context."""

    place: Workplace
    """What it was constructed with; once entered, with what was measured."""

    def __enter__(self) -> "Executor": ...
    def __exit__(self, *exception: object) -> None: ...

    @property
    def room(self) -> int:
        """Trials at a time, once entered."""

    def run(
        self,
        next_job: Callable[[], Job | Later | None],
        on_report: Callable[[int, Report], bool],
        on_outcome: Callable[[Outcome], None],
    ) -> None:
        """Run jobs as places become free, until there is none to start and none runs.

        A place stays free after ``LATER`` until the end of another trial; it is only said while one runs.

        A trial ends after its ``stop`` epochs, or with the report that ``on_report`` answers with False.

        Raises:
            Exception: what the functions raise, and what is the matter with storage or data (``BLAMELESS``); trials
                that have not ended are left as they are, to be resumed.
        """

    def train(
        self,
        jobs: Sequence[FinalJob],
        on_report: Callable[[str, Report], None],
        on_failure: Callable[[str, Failure], None],
    ) -> None:
        """Run final trainings, none of which teaches another; each reports, or fails alone, under its name.

        Those of one worker run at the same time where there is room.

        Args:
            jobs: whose teachers have been trained.
            on_report: called with every report, also those of earlier attempts.
            on_failure: called with each training that failed.

        Raises:
            Exception: as ``run``.
        """

"""Trials one after the other in this process, without Ray."""

from collections.abc import Callable, Sequence
from typing import Self

from search.executors.work import Failure, Later, Outcome, Workplace
from trainables.final.jobs import FinalJob
from trainables.job import Job, Report

OFFERS = ()
"""What of the sections ``run`` and ``ray`` it can do, beside one trial at a time: ``search.setting.checks``."""


class Executor:
    """One trial at a time, with one worker; there is no process to lose, so ``retries`` has nothing to do."""

    def __init__(self, place: Workplace) -> None:
        self.place = place

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to close."""

    @property
    def room(self) -> int:
        return 1

    def run(
        self,
        next_job: Callable[[], Job | Later | None],
        on_report: Callable[[int, Report], bool],
        on_outcome: Callable[[Outcome], None],
    ) -> None:
        while (job := next_job()) is not None:
            assert not isinstance(job, Later), "no trial runs"
            reports: list[Report] = []
            message = trace = None
            for item in self.place.work(job):
                if isinstance(item, Failure):
                    message, trace = item.message, item.trace
                else:
                    reports.append(item)
                    if not on_report(job.number, item):
                        break
            on_outcome(Outcome(number=job.number, reports=tuple(reports), message=message, trace=trace))

    def train(
        self,
        jobs: Sequence[FinalJob],
        on_report: Callable[[str, Report], None],
        on_failure: Callable[[str, Failure], None],
    ) -> None:
        for job in jobs:
            for item in self.place.finish(job, device=self.place.device):
                if isinstance(item, Failure):
                    on_failure(job.name, item)
                else:
                    on_report(job.name, item)

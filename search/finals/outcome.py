"""How final trainings ended, and the network for each budget."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import nn

from search.errors import UsageError
from search.family.handover import Finalist, member_name
from search.family.members import BudgetRow
from search.family.spent import Spent, spent, together
from search.problem.front import pareto_front
from search.record.trial import Trial
from search.setting.beginning import Named
from search.setting.setting import Setting
from search.words import amount
from trainables.deploy import Deployable
from trainables.final.jobs import FinalJob, keep_network, network_of
from trainables.final.soup import best_soup, start_of
from trainables.job import Report
from trainables.training.features import accuracy, judged


@dataclass(frozen=True, kw_only=True)
class Finals:
    """How final trainings ended.

    Attributes:
        jobs: the trainings.
        reports: the last report of each that has begun, by its name.
        messages: why a training failed, by its name.
    """

    jobs: tuple[FinalJob, ...]
    reports: Mapping[str, Report]
    messages: Mapping[str, str] = field(default_factory=dict)

    def of(self, jobs: Iterable[FinalJob]) -> "Finals":
        """How some of the jobs ended."""
        return replace(self, jobs=tuple(jobs))

    @property
    def ended(self) -> list[FinalJob]:
        """The jobs that came to their last epoch."""
        return [job for job in self.jobs if job.name in self.reports and self.reports[job.name].epoch >= job.last_epoch]

    @property
    def failed(self) -> dict[FinalJob, str]:
        """The other jobs, and why they were not."""
        ended = {job.name for job in self.ended}
        reason = "it ended before its last epoch"
        return {job: self.messages.get(job.name, reason) for job in self.jobs if job.name not in ended}

    def accuracy(self, job: FinalJob) -> float:
        """On search-validation after the last epoch so far."""
        return self.reports[job.name].accuracy

    def without_ended(self) -> "Finals":
        """Those that failed."""
        names = {job.name for job in self.failed}
        reports = {name: report for name, report in self.reports.items() if name in names}
        return replace(self, jobs=tuple(self.failed), reports=reports)

    def joined(self, others: "Finals") -> "Finals":
        """These and others."""
        return Finals(
            jobs=(*self.jobs, *others.jobs),
            reports={**self.reports, **others.reports},
            messages={**self.messages, **others.messages},
        )


def finalists_of(setting: Setting, finals: Finals, searched: Mapping[str, Spent]) -> list[Finalist]:
    """The networks on the front of search-validation accuracy against macs, cheapest first; the test is not read.

    Args:
        setting: of the run.
        finals: trainings that did not end are left out.
        searched: what the search's own trainings of a candidate took, by its key.

    Raises:
        UsageError: none has ended.
    """
    if not finals.ended:
        (reason, *_) = failures(setting, finals)
        raise UsageError(
            f"no final training ended, so that there is no family: {reason}; once its cause is mended, resume trains "
            f"them again: python -m search resume {setting.config.folder}"
        )
    networks = networks_of(setting, finals, searched)
    rows = pareto_front([one.statistics.macs for one in networks], [one.search_accuracy for one in networks])
    return [networks[row] for row in rows]


def networks_of(setting: Setting, finals: Finals, searched: Mapping[str, Spent]) -> list[Finalist]:
    """Every network of which a training has ended, in the order of the jobs; arguments as ``finalists_of``."""
    by_candidate: dict[str, list[FinalJob]] = {}
    for job in finals.ended:
        by_candidate.setdefault(job.candidate.key, []).append(job)
    return [_finalist(setting, trainings, finals, searched) for trainings in by_candidate.values()]


def one_per_budget(setting: Setting, front: Sequence[Finalist]) -> list[Finalist | None]:
    """The most accurate network of a front that each budget allows; None where it allows none.

    Where a larger network is no better than a cheaper one, both budgets have the cheaper one.
    """
    codes_ND = setting.space.encode([finalist.job.candidate for finalist in front])
    return [
        max((one for one, fits in zip(front, fits_N, strict=True) if fits), key=_accuracy, default=None)
        for fits_N in setting.problem.affordable(codes_ND)
    ]


def budget_rows(
    setting: Setting, finalists: Sequence[Finalist], of_budgets: Sequence[Finalist | None]
) -> tuple[BudgetRow, ...]:
    """What each budget got, of finalists that are handed over in this order."""
    names = [None if one is None else member_name(finalists.index(one)) for one in of_budgets]
    budgets = [limits.max_macs for limits in setting.problem.budgets if limits.max_macs is not None]
    return tuple(
        BudgetRow(max_macs=float(budget), member=name) for budget, name in zip(budgets, names, strict=bool(names))
    )


def _accuracy(finalist: Finalist) -> float:
    return finalist.search_accuracy


def _finalist(
    setting: Setting, trainings: Sequence[FinalJob], finals: Finals, searched: Mapping[str, Spent]
) -> Finalist:
    """The best training of a network, beside those that differ from it in their seeds alone."""
    best = max(trainings, key=finals.accuracy)
    alike = [one for one in trainings if (one.epochs, one.teachers) == (best.epochs, best.teachers)]
    job, reached = _with_soup(setting, best, finals)
    final = together(
        spent(one.candidate, setting.splits, epochs=one.epochs, reached=report.epoch, seconds=report.seconds)
        for one in trainings
        for report in [finals.reports[one.name]]
    )
    own = searched.get(job.candidate.key)
    return Finalist(
        job=job,
        trainings=tuple(alike),
        statistics=setting.statistics_of(job.candidate),
        search_accuracy=reached,
        spent={**({} if own is None else {"search": own}), "final": final},
    )


def _with_soup(setting: Setting, best: FinalJob, finals: Finals) -> tuple[FinalJob, float]:
    """The soup of a network's trainings, stored as a further final training, if it is better; else the best of them.

    Its parts are all trainings with its beginning, whatever their recipes, by the same schedule.
    """
    kind, splits, where, alone = setting.config.family.soup, setting.splits, setting.place.final, finals.accuracy(best)
    beginning = None if kind == "none" else start_of(best.candidate, best.epochs, splits)
    pool = [
        job
        for job in finals.ended
        if job.epochs == job.last_epoch == best.epochs
        and beginning is not None
        and beginning == start_of(job.candidate, job.epochs, splits)
    ]
    if kind == "none" or len(pool) < 2:
        return best, alone

    def score(network: nn.Module) -> float:
        assert isinstance(network, Deployable)
        weights = setting.config.search.weights
        return judged(weights, network, splits, accuracy(network, splits.validation))[0]

    networks = [network_of(job, splits, where) for job in dict.fromkeys((best, *pool))]
    mix, parts = best_soup(networks, kind, splits.train, score, splits.validation)
    if len(parts) == 1:
        return best, alone
    soup = replace(best, name=f"{best.candidate.key}-soup")
    report = Report(epoch=best.epochs, accuracy=score(mix), loss=math.nan, seconds=0.0)
    keep_network(soup, mix, report, where)
    return soup, report.accuracy


def spent_in_search(setting: Setting, trials: Iterable[Trial]) -> dict[str, Spent]:
    """What the trials of each candidate took, by its key."""
    parts: dict[str, list[Spent]] = {}
    for trial in trials:
        if trial.is_finished:
            part = spent(
                trial.candidate,
                setting.splits,
                epochs=setting.config.search.epochs,
                reached=len(trial.reports),
                seconds=trial.seconds,
            )
            parts.setdefault(trial.candidate.key, []).append(part)
    return {key: together(own) for key, own in parts.items()}


def failures(setting: Setting, finals: Finals, references: Iterable[Named] = ()) -> tuple[str, ...]:
    """A sentence for each final training that did not end, as ``sentence_of``."""
    return tuple(sentence_of(setting, job, reason, references) for job, reason in finals.failed.items())


def called(setting: Setting, job: FinalJob, references: Iterable[Named] = ()) -> str:
    """What people call a final training: ``budget 10k (8.61k macs), taught``."""
    macs = setting.statistics_of(job.candidate).macs
    budgets = [limits.max_macs for limits in setting.problem.budgets if limits.max_macs is not None]
    least = min((budget for budget in budgets if macs <= budget), default=None)
    budget = "beyond all budgets" if least is None else f"budget {amount(least)}"
    if any(one.candidate == job.candidate for one in references):
        budget = f"reference, {budget}"
    what, _, number = job.name.removeprefix(f"{job.candidate.key}-").rpartition("-")
    again = f", trial {number} again" if what == "trial" else f", seed {int(number) + 1}" if int(number) else ""
    return f"{budget} ({amount(macs)} macs){', taught' if job.teachers else ''}{again}"


def sentence_of(setting: Setting, job: FinalJob, reason: str, references: Iterable[Named] = ()) -> str:
    """Which network's final training failed, for which budget, which reference it was if it was one, and why."""
    name = next((f"the reference {one.name}, " for one in references if one.candidate == job.candidate), "")
    return f"final training of {name}{called(setting, job)} failed: {reason} (candidate {job.candidate.key})"

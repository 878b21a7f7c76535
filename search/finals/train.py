"""Final training: several candidates of a budget begin, the best of them ends; then teachers teach whom they can help.

Successive halving (Jamieson & Talwalkar, AISTATS 2016) within each budget: the candidates of a budget train under the
final schedule to a rung, the better half goes on to the next, and one of them is trained to its end. What a rung took
is not lost for those that go on, which continue from their checkpoints.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from search.executors.protocol import Executor
from search.executors.work import Failure
from search.finals.jobs import as_trial, on_labels, teachable, with_teachers
from search.finals.outcome import Finals
from search.problem.problem import Problem
from search.record.trial import Trial
from search.setting.sections.family import FamilySection
from spaces.candidate import Candidate
from trainables.final.jobs import FinalJob, checkpoint_of
from trainables.job import Report
from trainables.stages.pretraining import reports_of_pretraining

Epochs = TypeVar("Epochs", int, float)

TAUGHT_ABOVE = 2.0
"""A network is taught where it makes at least this many times the teachers' errors on search-validation.

Teachers no better than their pupils cost half a point to a point (docs/family.md), and a training.
"""


def rungs(candidates: int, epochs: int, pretrained: Epochs = 0) -> list[Epochs]:
    """Epochs after which the better half of a budget's candidates goes on: each half as many as the next.

    The first ``pretrained`` epochs are not counted: what a pretraining reports is no score of a network.
    """
    halvings = math.ceil(math.log2(candidates)) if candidates > 1 else 0
    return [pretrained + max(1, (epochs - pretrained) // 2**left) for left in range(halvings, 0, -1)]


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """Trains jobs wherever the executor runs them, each from its checkpoint on.

    Attributes:
        executor: entered.
        where: folder or URI below which final trainings keep their checkpoints.
        macs: of a candidate; the largest begin first, so that nothing waits for one of them at the end.
        on_begin: called with what is trained next, in words, and the trainings.
        on_report: called with each training and its report, after every epoch.
        on_failure: called with each that fails.
    """

    executor: Executor
    where: str
    macs: Callable[[Candidate], int]
    on_begin: Callable[[str, Sequence[FinalJob]], None]
    on_report: Callable[[FinalJob, Report], None]
    on_failure: Callable[[FinalJob, Failure], None]

    def train(self, what: str, jobs: Sequence[FinalJob]) -> Finals:
        """Train what is left of jobs; nothing is asked of the executor if all have ended before."""
        by_name = {job.name: job for job in jobs}
        before = {name: checkpoint_of(job, self.where).load() for name, job in by_name.items()}
        reports = {
            name: Report(**state["reports"][min(len(state["reports"]), by_name[name].last_epoch) - 1])
            for name, state in before.items()
            if state is not None and state["reports"]
        }
        messages: dict[str, str] = {}

        def on_report(name: str, report: Report) -> None:
            reports[name] = report
            self.on_report(by_name[name], report)

        def fail(name: str, failure: Failure) -> None:
            messages[name] = failure.message
            self.on_failure(by_name[name], failure)

        left = Finals(jobs=tuple(jobs), reports=reports).failed
        if left:
            self.on_begin(what, list(left))
            largest_first = sorted(left, key=lambda job: -self.macs(job.candidate))
            self.executor.train(largest_first, on_report, fail)
        return Finals(jobs=tuple(jobs), reports=reports, messages=messages)


def train_finals(
    trainer: Trainer,
    problem: Problem,
    family: FamilySection,
    seed: int,
    candidates: Sequence[Sequence[Candidate]],
    *,
    beside: Sequence[FinalJob] = (),
    trials: Sequence[Trial] = (),
    of_budgets: bool = True,
    start: Callable[[Candidate], str | None] = lambda _: None,
) -> Finals:
    """Train a network for every budget.

    Args:
        trainer: does it.
        problem: with the budgets.
        family: how final training is done.
        seed: of the run.
        candidates: for each budget, or each network that is to be trained, those of which one is trained to its end.
        beside: further trainings, which nothing depends on.
        trials: of the search, whose recipes are trained for soups.
        of_budgets: whether a trial that is better than whatever was trained for a budget becomes its network.
        start: what says whether two candidates begin from the same weights, None for random ones.

    Returns:
        The trainings that were to come to their end, and how they did.
    """
    chosen, lost = _halved(trainer, family, seed, candidates)
    if isinstance(family.teachers, list) and not family.untaught:
        jobs = [job for one in chosen for job in with_teachers(family, seed, one, family.teachers, chosen[-1])]
        return trainer.train("final training with teachers", list(dict.fromkeys([*jobs, *beside]))).joined(lost)
    jobs = [job for candidate in chosen for job in on_labels(family, seed, candidate)]
    finals = trainer.train("final training", list(dict.fromkeys([*jobs, *beside]))).joined(lost)
    again = _better_trials(problem, finals, trials) if of_budgets else []
    pupils = _taught(family, seed, finals, chosen)
    finals = finals.joined(trainer.train("teaching, and trials that were better", [*again, *pupils]))
    others = _other_recipes(family, seed, chosen, trials, start)
    return finals.joined(trainer.train("other recipes, for soups", others)) if others else finals


def _halved(
    trainer: Trainer, family: FamilySection, seed: int, candidates: Sequence[Sequence[Candidate]]
) -> tuple[list[Candidate], Finals]:
    """The candidates that are trained to their end, without repeats, and the trainings that failed before."""
    left = [list(dict.fromkeys(group)) for group in candidates if group]
    failed = Finals(jobs=(), reports={})
    most = max(map(len, left), default=0)
    compared = [candidate for group in left if len(group) > 1 for candidate in group]
    pretrained = max((reports_of_pretraining(candidate, family.epochs) for candidate in compared), default=0)
    for epoch in rungs(most, family.epochs, pretrained):
        heats = [
            replace(on_labels(family, seed, candidate)[0], stop=epoch)
            for candidate in dict.fromkeys(candidate for group in left if len(group) > 1 for candidate in group)
        ]
        ended = trainer.train(f"final training to epoch {epoch}, of which the better half goes on", heats)
        score = {job.candidate: ended.accuracy(job) for job in ended.ended}
        failed = failed.joined(ended.without_ended())
        left = [_better_half(group, score) if len(group) > 1 else group for group in left]
    return list(dict.fromkeys(candidate for group in left for candidate in group)), failed


def _better_half(group: Sequence[Candidate], score: Mapping[Candidate, float]) -> list[Candidate]:
    """The better half, rounded up, of those that did not fail; of equals, those that were first."""
    alive = [candidate for candidate in group if candidate in score]
    return sorted(alive, key=lambda candidate: -score[candidate])[: math.ceil(len(group) / 2)]


def _better_trials(problem: Problem, finals: Finals, trials: Sequence[Trial]) -> list[FinalJob]:
    """Trainings that repeat the trials that no final training of their budget came up to.

    A search has hundreds of trials and a budget one or two final trainings, of which all can turn out worse. The trial
    was trained whole, so its network can be had again.
    """
    whole = [trial for trial in trials if len(trial.reports) == trial.epochs and trial.score is not None]
    ended = finals.ended
    again: dict[int, FinalJob] = {}
    whole_fit = _within_budgets(problem, [trial.candidate for trial in whole])
    ended_fit = _within_budgets(problem, [job.candidate for job in ended])
    for trial_rows, final_rows in zip(whole_fit, ended_fit, strict=True):
        reached = max((finals.accuracy(ended[row]) for row in final_rows), default=-1.0)
        best = max(
            (whole[row] for row in trial_rows),
            key=lambda trial: (trial.score, -trial.statistics.macs),
            default=None,
        )
        if best is not None and best.score is not None and best.score > reached:
            again[best.number] = as_trial(best)
    return list(again.values())


def _other_recipes(
    family: FamilySection,
    seed: int,
    chosen: Sequence[Candidate],
    trials: Sequence[Trial],
    start: Callable[[Candidate], str | None],
) -> list[FinalJob]:
    """A training of each of the best trials with other recipes for the weights that a chosen network begins with."""
    if family.soup == "none" or not family.soup_recipes:
        return []
    scored = sorted((trial for trial in trials if trial.score is not None), key=lambda trial: -(trial.score or 0.0))
    begun = {candidate: start(candidate) for candidate in dict.fromkeys(trial.candidate for trial in scored)}
    jobs: dict[str, FinalJob] = {}
    for candidate in chosen:
        own = start(candidate)
        alike = [other for other, its in begun.items() if its == own is not None and other not in chosen]
        jobs |= {job.name: job for other in alike[: family.soup_recipes] for job in on_labels(family, seed, other)[:1]}
    return list(jobs.values())


def _within_budgets(problem: Problem, candidates: Sequence[Candidate]) -> list[list[int]]:
    """For each budget, the rows of the candidates that it allows."""
    if not candidates:
        return [[] for _ in problem.budgets]
    return [np.flatnonzero(fits_N).tolist() for fits_N in problem.affordable(problem.space.encode(candidates))]


def _taught(family: FamilySection, seed: int, finals: Finals, chosen: Sequence[Candidate]) -> list[FinalJob]:
    """Trainings of the chosen networks that teachers may make better."""
    ended = sorted(finals.ended, key=finals.accuracy)
    best = {job.candidate: job for job in ended}  # the best training of each
    ranked = sorted(best.values(), key=finals.accuracy, reverse=True)
    if isinstance(family.teachers, list):
        teachers: tuple[FinalJob | str, ...] = tuple(family.teachers)
        pupils = [job.candidate for job in ranked if job.candidate in chosen]
    else:
        teaching, others = ranked[: family.teachers], ranked[family.teachers :]
        if not teaching:
            return []
        teachers = tuple(teaching)
        bound = TAUGHT_ABOVE * sum(1 - finals.accuracy(job) for job in teaching) / len(teaching)
        pupils = [job.candidate for job in others if job.candidate in chosen and 1 - finals.accuracy(job) >= bound]
    pupils = list(filter(teachable, pupils))
    if not pupils:
        return []
    leader = ranked[0].candidate
    return [job for pupil in pupils for job in with_teachers(family, seed, pupil, teachers, leader)]

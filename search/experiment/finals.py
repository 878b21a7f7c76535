"""Final training: a job for each training, and the networks on the front of those that ended."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from torch import nn

from search.errors import UsageError
from search.executors.work import Executor, Failure
from search.experiment.trials import training_seed
from search.family.handover import Finalist
from search.family.spent import Spent, spent, together
from search.problem.front import pareto_front
from search.record.trial import Trial
from search.setting.beginning import Named
from search.setting.sections.family import FamilySection
from search.setting.setting import Setting
from search.words import amount
from spaces import components
from spaces.candidate import Candidate
from trainables.final.jobs import FinalJob, checkpoint_of, keep_network, network_of
from trainables.final.soup import best_soup
from trainables.plan import Stage
from trainables.training.trial import Report, accuracy


def final_jobs(family: FamilySection, seed: int, candidates: Sequence[Candidate]) -> list[FinalJob]:
    """The final trainings, teachers before their pupils.

    Args:
        family: ``family.teachers`` says who teaches.
        seed: of the run.
        candidates: cheapest first.
    """

    job = partial(_job, family, seed)

    if family.stored_targets:
        candidates = list(dict.fromkeys(with_views_of(candidates[-1], candidate) for candidate in candidates))
    repeats = range(family.seeds)
    if isinstance(family.teachers, list):
        named = tuple(family.teachers)
        return [job(candidate, repeat, named) for candidate in candidates for repeat in repeats]
    split = max(0, len(candidates) - family.teachers)
    teaching = [job(teacher, repeat, ()) for teacher in reversed(candidates[split:]) for repeat in repeats]
    # The first training of each teaches, so that whoever is taught does not depend on the number of seeds.
    teachers = tuple(teaching[:: family.seeds])
    return teaching + [job(pupil, repeat, teachers) for pupil in candidates[:split] for repeat in repeats]


def reference_jobs(
    family: FamilySection, seed: int, candidates: Sequence[Candidate], jobs: Sequence[FinalJob]
) -> list[FinalJob]:
    """The final trainings of references, on labels, for those pairs that are not among the ``jobs``."""
    trained = {job.candidate for job in jobs}
    others = [candidate for candidate in dict.fromkeys(candidates) if candidate not in trained]
    return [_job(family, seed, candidate, repeat, ()) for candidate in others for repeat in range(family.seeds)]


def _job(
    family: FamilySection, seed: int, candidate: Candidate, repeat: int, teachers: tuple[FinalJob | str, ...]
) -> FinalJob:
    return FinalJob(
        name=f"{candidate.key}-{repeat}",
        candidate=candidate,
        epochs=family.epochs,
        seed=training_seed(seed, 1_000_000 + repeat),
        teachers=teachers,
        objective=family.objective,
        top_k=family.top_k if family.stored_targets else None,
        distillation_weight=family.distillation_weight,
        label_weight=family.label_weight,
        temperature=family.temperature,
        precision=family.precision,
    )


def with_views_of(leader: Candidate, candidate: Candidate) -> Candidate:
    """The candidate with the leader's batch size and batch transforms: what decides which views of images it sees."""

    def decides(address: str) -> bool:
        ingredient = address.partition(".")[0]
        return ingredient == "batch" or components.load(components.INGREDIENTS, ingredient).STAGE is Stage.BATCH

    own = {address: value for address, value in candidate.recipe.items() if not decides(address)}
    views = {address: value for address, value in leader.recipe.items() if decides(address)}
    order = {address: position for position, address in enumerate((*leader.recipe, *candidate.recipe))}
    recipe = dict(sorted({**own, **views}.items(), key=lambda item: order[item[0]]))
    return replace(candidate, recipe=recipe)


@dataclass(frozen=True, kw_only=True)
class Finals:
    """How final trainings ended.

    Attributes:
        jobs: the trainings, teachers before their pupils.
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
        """The jobs that were trained in full."""
        return [job for job in self.jobs if job.name in self.reports and self.reports[job.name].epoch >= job.epochs]

    @property
    def failed(self) -> dict[FinalJob, str]:
        """The other jobs, and why they were not."""
        ended = {job.name for job in self.ended}
        reason = "it ended before its last epoch"
        return {job: self.messages.get(job.name, reason) for job in self.jobs if job.name not in ended}


def train_finals(
    executor: Executor,
    jobs: Sequence[FinalJob],
    where: str,
    on_end: Callable[[str, Report], None],
    on_failure: Callable[[FinalJob, Failure], None],
) -> Finals:
    """Train what is left of final trainings; nothing is asked of the executor if all have ended before.

    Args:
        executor: entered.
        jobs: teachers before their pupils.
        where: folder or URI below which they keep their checkpoints.
        on_end: called with the name of each training that ends now, and its last report.
        on_failure: called with each that fails.
    """
    states = {job.name: checkpoint_of(job, where).load() for job in jobs}
    reports = {name: Report(**state["reports"][-1]) for name, state in states.items() if state is not None}
    by_name = {job.name: job for job in jobs}
    messages: dict[str, str] = {}

    def on_report(name: str, report: Report) -> None:
        reports[name] = report
        if report.epoch == by_name[name].epochs:
            on_end(name, report)

    def fail(name: str, failure: Failure) -> None:
        messages[name] = failure.message
        on_failure(by_name[name], failure)

    if Finals(jobs=tuple(jobs), reports=reports).failed:
        executor.train(jobs, on_report, fail)
    return Finals(jobs=tuple(jobs), reports=reports, messages=messages)


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
    return [_finalist(setting, trainings, finals.reports, searched) for trainings in by_candidate.values()]


def _finalist(
    setting: Setting, trainings: Sequence[FinalJob], reports: Mapping[str, Report], searched: Mapping[str, Spent]
) -> Finalist:
    best = max(trainings, key=lambda job: reports[job.name].accuracy)
    job, reached = _with_soup(setting, best, trainings, reports[best.name].accuracy)
    final = together(
        spent(one.candidate, setting.splits, epochs=one.epochs, reached=report.epoch, seconds=report.seconds)
        for one in trainings
        for report in [reports[one.name]]
    )
    own = searched.get(job.candidate.key)
    return Finalist(
        job=job,
        trainings=tuple(trainings),
        statistics=setting.statistics(setting.space.encode([job.candidate]))[0],
        search_accuracy=reached,
        spent={**({} if own is None else {"search": own}), "final": final},
    )


def _with_soup(setting: Setting, best: FinalJob, trainings: Sequence[FinalJob], alone: float) -> tuple[FinalJob, float]:
    """The soup of a network's trainings, stored as a further final training, if it is better; else the best of them."""
    kind, splits, where = setting.config.family.soup, setting.splits, setting.place.final
    if kind == "none" or len(trainings) < 2:
        return best, alone

    def score(network: nn.Module) -> float:
        return accuracy(network, splits.validation)

    networks = [network_of(job, splits, where) for job in trainings]
    mix, parts = best_soup(networks, kind, splits.train, score)
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


def sentence_of(setting: Setting, job: FinalJob, reason: str, references: Iterable[Named] = ()) -> str:
    """Which network's final training failed, for which budget, which reference it was if it was one, and why."""
    macs = setting.statistics(setting.space.encode([job.candidate]))[0].macs
    budgets = [limits.max_macs for limits in setting.problem.budgets if limits.max_macs is not None]
    least = min((budget for budget in budgets if macs <= budget), default=None)
    budget = "beyond all budgets" if least is None else f"for the budget of {amount(least)} macs"
    name = next((f"reference {one.name}" for one in references if one.candidate == job.candidate), "network")
    return f"final training '{job.name}' of the {name} of {amount(macs)} macs, {budget}, failed: {reason}"

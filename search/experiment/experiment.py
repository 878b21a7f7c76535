"""A whole search, stage by stage. Every stage goes on from what the study holds."""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from search.console.progress import Progress
from search.console.remaining import Plan
from search.evaluation.results import file_of
from search.evaluation.running import run_evaluations
from search.evaluation.subjects import Subject, members_of
from search.executors.protocol import Executor
from search.executors.work import Failure
from search.experiment.contenders import Repeats, contenders, pick_finalists
from search.experiment.notes import RoundFigures, add_seconds, describe, timed
from search.experiment.rounds import Stage1
from search.experiment.trials import Trials
from search.experiment.warm_start import earlier_observations
from search.family.handover import Examiner, examined_references, hand_over, save_family
from search.family.members import Family, load_family
from search.files import write_text
from search.finals.jobs import on_labels
from search.finals.outcome import (
    Finals,
    budget_rows,
    called,
    failures,
    finalists_of,
    networks_of,
    one_per_budget,
    sentence_of,
    spent_in_search,
)
from search.finals.train import Trainer, train_finals
from search.identity.folder import DIGEST
from search.learning.learner import Learner
from search.learning.past import before_scores
from search.record.study import Study
from search.record.trial import Trial, study_digest
from search.report.gather import gather
from search.report.page import PICTURES, write_report
from search.samplers.by_name import build
from search.samplers.protocol import Offer
from search.setting.beginning import Beginning, beginning_of
from search.setting.config import Config
from search.setting.setting import Setting
from search.tracking.tracker import open_tracker
from search.words import amount
from spaces import components
from spaces.candidate import Candidate
from trainables.assess import Assessment
from trainables.final.jobs import FinalJob
from trainables.final.soup import start_of
from trainables.job import Report

BEGINNING = "beginning"
"""Name of the note in the study that says what the search began with."""


class Experiment:
    """One run. ``carry_out`` does what is left of it."""

    def __init__(self, setting: Setting, study: Study, progress: Progress) -> None:
        self._setting, self._study, self._progress = setting, study, progress
        self._config = setting.config
        self._folder = setting.config.folder
        if "identity" not in study.notes:
            study.note("identity", uuid.uuid4().hex)
        self._tracker = open_tracker(self._config, study.notes["identity"], setting.splits, setting.problem.budgets)
        self._trials = Trials(setting, study, self)
        search, problem, seed = self._config.search, setting.problem, self._config.seed
        self._earlier = earlier_observations(self._folder, setting.space)
        self._learner = Learner(
            problem=problem, name=search.predictor, pretrain=search.pretrain, seed=seed, earlier=self._earlier
        )
        self._beginning = Beginning()
        watched = Learner(problem=problem, name=search.watched, pretrain=search.pretrain, seed=seed)
        self._figures = RoundFigures(self._trials, watched, study, self._tell_figures)

    def carry_out(self) -> Family:
        """Do what is left, and return the family."""
        self._beginning = self._begin()
        self._progress.begin(
            self._plan(), [one.name for one in self._beginning.beside], list(self._trials.by_number.values())
        )
        self._track_ended()
        with self._executor() as executor:
            self._stage1(executor)
            chosen = self._stage2(executor)
            finals, references = self._finals(executor, chosen, of_budgets=True)
        self._figures.collect(wait=True)
        page = self._folder / "report.html"
        family = self._hand_over(finals, references, self._folder / "family", page, of=None)
        if self._config.tracking.enabled:
            self._progress.stage("sending what is left to MLflow")
        self._tracker.finish(self._folder / "family", self._folder / "report.html")
        return family

    def close(self) -> None:
        """End the threads that show and measure the run."""
        self._figures.close()
        self._tracker.close()

    def complete(self) -> None:
        """Make what a process that was killed once the family was there had not come to: evaluations, the report."""
        target = self._folder / "family"
        family = load_family(target)
        folders = [target / member.name for member in family.members]
        missing = [
            name
            for name in self._config.family.assess
            if not all(file_of(folder, name).is_file() for folder in folders)
        ]
        self._describe(family, target, self._folder / "report.html", missing, tracked=True)

    def catch_up(self) -> None:
        """Give MLflow what it lacks of a run that is finished."""
        self._progress.stage("sending to MLflow what an earlier process left")
        self._track_ended()
        self._tracker.catch_up(self._folder / "family", self._folder / "report.html")

    def train(self, candidates: Sequence[Candidate], target: Path) -> Family:
        """Train candidates in full, with the run's teachers, and write each of them and their report to a folder."""
        macs_N = self._setting.problem.costs(self._setting.space.encode(candidates))["macs"].tolist()
        macs = dict(zip(candidates, macs_N, strict=True))
        with self._executor() as executor:
            each = [[candidate] for candidate in sorted(macs, key=macs.__getitem__)]
            finals, references = self._finals(executor, each, of_budgets=False)
        return self._hand_over(finals, references, target, target / "report.html", of=candidates)

    # listener of the trials ------------------------------------------------------------------------------------------

    def reported(self, trial: Trial, report: Report) -> None:
        """An epoch has ended."""
        self._progress.reported(trial, report)

    def ended(self, trial: Trial) -> None:
        """A trial has ended and is in the study."""
        self._progress.ended(trial)
        self._tracker.trial(trial)

    def _track_ended(self) -> None:
        for trial in self._trials.by_number.values():
            if trial.is_finished:
                self._tracker.trial(trial)

    # stages ----------------------------------------------------------------------------------------------------------

    def _begin(self) -> Beginning:
        """What the search began with, which is settled before its first trial; older studies began with nothing."""
        if BEGINNING not in self._study.notes and not self._trials.by_number:
            self._study.note(BEGINNING, beginning_of(self._setting).to_json())
        noted = self._study.notes.get(BEGINNING)
        return Beginning() if noted is None else Beginning.from_json(noted)

    def _plan(self) -> Plan:
        """What is going to be trained, for the time that is left."""
        config, budgets = self._config, [limits.max_macs for limits in self._setting.problem.budgets]
        return Plan(
            search=config.search,
            family=config.family,
            budgets=[budget for budget in budgets if budget is not None],
            references=[self._macs(one.candidate) for one in self._beginning.beside],
        )

    @contextmanager
    def _executor(self) -> Iterator[Executor]:
        began = time.monotonic()
        with executor_of(self._setting) as executor:
            add_seconds(self._study, "start", time.monotonic() - began)
            if self._setting.place.probe is not None:
                needs = f"{executor.place.gpus:g} GPU, {amount(executor.place.memory)} memory"
                self._progress.say(f"measured on the largest candidates: a trial takes {needs}")
            yield executor

    def _stage1(self, executor: Executor) -> None:
        config = self._config.search
        done = sum(record.is_finished for record in self._trials.of("search"))
        self._progress.search(config.trials, done)
        sampler = build(
            config.sampler,
            Offer(
                problem=self._setting.problem,
                seed=self._config.seed,
                initial=config.initial,
                batch=config.batch,
                predictor=config.predictor,
                earlier=self._earlier,
                begun=len(self._beginning.first),
            ),
        )
        stage = Stage1(
            self._trials,
            sampler,
            self._beginning.first,
            self._learner.believe,
            self._figures.begin,
            ahead=executor.room - 1 if config.reproducible else None,
            opening=self._opening(executor.room),
        )
        with timed(self._study, "stage 1"):
            executor.run(stage.next_job, self._trials.reported, self._trials.ended)
            stage.check_first_round()
            self._figures.begin_missing()

    def _opening(self, room: int) -> int:
        """Trials before the first scores: as configured, or fewer where earlier searches know as much and choose."""
        initial = self._config.search.initial
        if sum(len(one.score_N) for one in self._earlier) < initial:
            return initial
        return min(initial, max(before_scores(initial, len(self._beginning.first)), room))

    def _tell_figures(self, round_: int, figures: Mapping[str, float]) -> None:
        self._tracker.round(round_, figures)
        self._progress.say(describe(round_, figures, self._config.search.watched))

    def _stage2(self, executor: Executor) -> list[list[Candidate]]:
        observed = self._trials.observations(self._trials.of("search"))
        self._progress.stage("stage 2: evolving pairs on the predictor")
        with timed(self._study, "stage 2"):
            codes_MD = contenders(
                self._setting.problem, self._config.family, self._config.seed, self._learner, observed
            )
        repeats = Repeats(self._trials, codes_MD, self._config.family.repeats)
        done = sum(record.is_finished for record in self._trials.of("repeat"))
        with timed(self._study, "repeats"):
            if done < repeats.total:
                self._progress.repeats(repeats.total, done)
                executor.run(repeats.next_job, self._trials.reported, self._trials.ended)
            return pick_finalists(
                self._setting.problem,
                self._config.family,
                self._learner,
                observed,
                codes_MD,
                self._trials,
            )

    def _finals(
        self, executor: Executor, candidates: Sequence[Sequence[Candidate]], *, of_budgets: bool
    ) -> tuple[Finals, Finals]:
        """How all final trainings ended, and those of the references, on labels, among them."""
        family, seed = self._config.family, self._config.seed
        trainer = Trainer(
            executor=executor,
            where=self._setting.place.final,
            macs=self._macs,
            on_begin=self._begin_finals,
            on_report=self._trained,
            on_failure=self._failed,
        )
        beside = [job for one in self._beginning.beside for job in on_labels(family, seed, one.candidate)]
        with timed(self._study, "final training"):
            finals = train_finals(
                trainer,
                self._setting.problem,
                family,
                seed,
                candidates,
                beside=beside,
                trials=list(self._trials.by_number.values()),
                of_budgets=of_budgets,
                start=partial(start_of, epochs=family.epochs, splits=self._setting.splits),
            )
        return finals, finals.of(dict.fromkeys(beside))

    def _begin_finals(self, what: str, jobs: Sequence[FinalJob]) -> None:
        self._progress.finals(what, {job: self._macs(job.candidate) for job in jobs})

    def _trained(self, job: FinalJob, report: Report) -> None:
        reference = any(one.candidate == job.candidate for one in self._beginning.beside)
        self._progress.trained(self._called(job), job, self._macs(job.candidate), report, reference=reference)

    def _called(self, job: FinalJob) -> str:
        return called(self._setting, job, self._beginning.beside)

    def _macs(self, candidate: Candidate) -> int:
        return self._setting.statistics_of(candidate).macs

    def _failed(self, job: FinalJob, failure: Failure) -> None:
        sentence = sentence_of(self._setting, job, failure.message, self._beginning.beside)
        self._progress.failed(job, sentence, failure.trace)

    def _hand_over(
        self, finals: Finals, references: Finals, target: Path, page: Path, *, of: Sequence[Candidate] | None
    ) -> Family:
        """Export the best network of each budget, or those ``of`` candidates."""
        self._progress.stage("reading the test split, exporting the family, writing the report")
        trials = list(self._trials.by_number.values())
        with timed(self._study, "export"):
            searched = spent_in_search(self._setting, trials)
            front = finalists_of(self._setting, finals, searched)
            of_budgets = one_per_budget(self._setting, front) if of is None else []
            finalists = [one for one in front if one in of_budgets]
            if of is not None:
                every = networks_of(self._setting, finals, searched)
                finalists = sorted(
                    (one for one in every if one.job.candidate in of), key=lambda one: one.statistics.macs
                )
            beside = self._beginning.beside
            networks = networks_of(self._setting, references, searched)
            examiner = Examiner(self._setting)
            trained, examined = examined_references(examiner, beside, networks)
            rows = budget_rows(self._setting, finalists, of_budgets)
            family = Family(
                members=hand_over(self._setting, finalists, target, examiner, self._progress.exported, examined, rows),
                budgets=rows,
                study=study_digest(trials),
                run=self._study.notes.get(DIGEST, ""),
                failures=failures(self._setting, finals, beside),
                references=tuple(trained),
                test_images=len(self._setting.splits.test),
            )
            save_family(family, target)
        self._describe(family, target, page, self._config.family.assess, tracked=of is None)
        return family

    def _describe(self, family: Family, target: Path, page: Path, names: Sequence[str], *, tracked: bool) -> None:
        """Judge the members by these evaluations, and write the report."""
        if names:
            self._assess(family, target, names, tracked=tracked)
        with timed(self._study, "report"):
            write_report(gather(self._setting, self._study, family, target, page), page)
            if page.parent != target:
                for name in PICTURES:
                    (target / name).write_bytes(page.with_name(name).read_bytes())

    def _assess(self, family: Family, target: Path, names: Sequence[str], *, tracked: bool) -> None:
        splits = self._setting.splits
        self._progress.stage(f"evaluating the family: {', '.join(names)}")

        def show(number: int, subject: Subject, name: str, assessment: Assessment, files: list[Path]) -> None:
            if tracked:
                self._tracker.evaluated(number, subject.name, name, assessment.measures, files)

        with timed(self._study, "evaluations"):
            run_evaluations(members_of(target, family, splits), splits, names, self._config.seed, show)


def executor_of(setting: Setting) -> Executor:
    """The executor that the configuration names, not entered yet."""
    executor: Executor = components.load(components.EXECUTORS, setting.config.run.executor).Executor(setting.place)
    return executor


def save_config(config: Config) -> None:
    """Keep the resolved configuration in the run's folder."""
    config.folder.mkdir(parents=True, exist_ok=True)
    write_text(config.folder / "config.yaml", config.dump())

"""A whole search: stage 1, stage 2, final training, export, report. Every stage goes on from what the study holds."""

import math
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from scipy.stats import kendalltau

from search.executors.work import Executor, Workplace
from search.experiment.contenders import Repeats, contenders, pick_members
from search.experiment.finals import Finished, family_of, final_jobs, finish, with_test_accuracy
from search.experiment.progress import Progress
from search.experiment.rounds import Stage1
from search.experiment.trials import Trials
from search.experiment.warm_start import sources
from search.family.export import InputSpec, Provenance, export_member
from search.family.members import Family, Member
from search.family.retrain import write_training
from search.family.spent import Spent, spent, together
from search.files import write_text
from search.learning.learner import Learner
from search.problem.problem import Observations
from search.record.study import Study
from search.record.trial import Trial, study_digest
from search.report.gather import gather
from search.report.page import write_report
from search.samplers.by_name import build
from search.setting.config import Config
from search.setting.setting import Setting
from search.tracking.tracker import MlflowTracker, NullTracker, Tracker, dataset_entry, flat
from search.words import amount
from spaces import components
from spaces.candidate import Candidate
from trainables.counting.latency import measure
from trainables.final.jobs import FinalJob, checkpoint_of, network_of
from trainables.training.trial import Report


class Experiment:
    """One run. ``carry_out`` does what is left of it."""

    def __init__(self, setting: Setting, study: Study, progress: Progress) -> None:
        self._setting, self._study, self._progress = setting, study, progress
        self._config = setting.config
        self._folder = setting.config.folder
        if "identity" not in study.notes:
            study.note("identity", uuid.uuid4().hex)
        self._tracker = self._track()
        self._trials = Trials(setting, study, self)
        search, problem, seed = self._config.search, setting.problem, self._config.seed
        self._sources = sources(self._folder, setting.space)
        self._learner = Learner(
            problem=problem, name=search.predictor, pretrain=search.pretrain, seed=seed, sources=self._sources
        )
        self._watched = Learner(problem=problem, name=search.watched, pretrain=search.pretrain, seed=seed)

    def _track(self) -> Tracker:
        tracking = self._config.tracking
        if not tracking.enabled:
            return NullTracker()
        return MlflowTracker(
            self._folder,
            identity=self._study.notes["identity"],
            parameters=flat(self._config.model_dump(mode="json")),
            uri=tracking.uri,
            dataset=dataset_entry(self._config.data, self._setting.splits),
            budgets=[limits.max_macs for limits in self._setting.problem.budgets if limits.max_macs is not None],
            system_metrics_s=tracking.system_metrics_s,
        )

    def carry_out(self) -> Family:
        """Do what is left, and return the family."""
        for trial in self._trials.by_number.values():
            if trial.is_finished:
                self._tracker.trial(trial)
        with self._executor() as executor:
            self._stage1(executor)
            chosen = self._stage2(executor)
            jobs, last = self._final(executor, chosen)
        family = self._hand_over(jobs, last, self._folder / "family", self._folder / "report.html")
        if self._config.tracking.enabled:
            self._progress.stage("sending what is left to MLflow")
        self._tracker.finish(self._folder / "family", self._folder / "report.html")
        return family

    def catch_up(self) -> None:
        """Give MLflow what it lacks of a run that is finished."""
        self._progress.stage("sending to MLflow what an earlier process left")
        for trial in self._trials.by_number.values():
            if trial.is_finished:
                self._tracker.trial(trial)
        self._tracker.catch_up(self._folder / "family", self._folder / "report.html")

    def train(self, candidates: Sequence[Candidate], target: Path) -> Family:
        """Train candidates in full, with the run's teachers, and write their family and report to a folder."""
        costs = self._setting.statistics(self._setting.space.encode(candidates))
        macs = {candidate: statistics.macs for candidate, statistics in zip(candidates, costs, strict=True)}
        with self._executor() as executor:
            jobs, last = self._final(executor, sorted(macs, key=lambda candidate: macs[candidate]))
        return self._hand_over(jobs, last, target, target / "report.html")

    @contextmanager
    def _executor(self) -> Iterator[Executor]:
        module = components.load(components.EXECUTORS, self._config.run.executor)
        place: Workplace = self._setting.place
        with self._timed("start"):
            executor: Executor = module.Executor(place).__enter__()
        if place.probe is not None:
            found = executor.place
            self._progress.say(
                f"measured on the largest candidates: a trial takes {found.gpus:g} GPU, {amount(found.memory)} memory"
            )
        try:
            yield executor
        finally:
            executor.__exit__()

    # listener of the trials ------------------------------------------------------------------------------------------

    def reported(self, trial: Trial, report: Report) -> None:
        """An epoch has ended."""
        self._progress.reported(trial, report)

    def ended(self, trial: Trial) -> None:
        """A trial has ended and is in the study."""
        self._progress.ended(trial)
        self._tracker.trial(trial)

    # stages ----------------------------------------------------------------------------------------------------------

    def _stage1(self, executor: Executor) -> None:
        config = self._config.search
        done = sum(record.is_finished for record in self._trials.of("search"))
        self._progress.stage("stage 1: training candidates", config.trials, done)
        sampler = build(
            config.sampler,
            self._setting.problem,
            seed=self._config.seed,
            start=config.initial,
            surrogate=config.predictor,
            sources=self._sources,
        )
        stage = Stage1(self._trials, sampler, self._learner.believe, self._judge)
        with self._timed("stage 1"):
            executor.run(stage.next_job, self._trials.reported, self._trials.ended)
            self._judge_all()

    def _judge(self, round_: int, observed: Observations) -> None:
        """Measure the predictor on held-out trials, once a round, and keep it with the study."""
        key = f"round.{round_}"
        if round_ == 0 or key in self._study.notes:
            return
        known = len(observed.score_N)
        figures = {
            "trained": known,
            "stop_epoch": self._trials.decisive_epoch(self._trials.of("search")),
            "tau": self._watched.held_out_tau(observed),
            "tau_without_pretraining": self._watched.held_out_tau(observed, pretrained=False),
            "tau_of_proposals": self._tau_of_proposals(),
        }
        self._study.note(key, {name: None if value != value else value for name, value in figures.items()})
        self._tracker.round(round_, figures)
        self._progress.say(
            f"round {round_}: Kendall tau of the {self._config.search.watched} on held-out trials {figures['tau']:.2f} "
            f"({figures['tau_without_pretraining']:.2f} without pretraining); "
            f"candidates are compared at epoch {figures['stop_epoch']}"
        )

    def _tau_of_proposals(self) -> float:
        """Kendall tau between what was predicted of all proposals before they were trained and what they reached."""
        search = self._trials.of("search")
        ended = [record for record in search if record.is_finished and record.message is None]
        pairs = [
            (record.predicted[0], score)
            for record, score in zip(ended, self._trials.scores(ended, search), strict=True)
            if record.predicted is not None and score is not None
        ]
        return float(kendalltau(*zip(*pairs, strict=True)).statistic) if len(pairs) > 1 else math.nan

    def _judge_all(self) -> None:
        """The figures after the last round."""
        search = self._trials.of("search")
        self._judge(search[-1].round + 1, self._trials.observations(search))

    def _stage2(self, executor: Executor) -> list[Candidate]:
        observed = self._trials.observations(self._trials.of("search"))
        self._progress.stage("stage 2: evolving pairs on the predictor")
        with self._timed("stage 2"):
            codes_MD = contenders(
                self._setting.problem, self._config.family, self._config.seed, self._learner, observed
            )
        repeats = Repeats(self._trials, codes_MD, self._config.family.repeats)
        done = sum(record.is_finished for record in self._trials.of("repeat"))
        self._progress.stage("training contenders again with fresh seeds", repeats.total, done)
        with self._timed("repeats"):
            if done < repeats.total:
                executor.run(repeats.next_job, self._trials.reported, self._trials.ended)
            return pick_members(
                self._setting.problem,
                self._config.family.confidence,
                self._learner,
                observed,
                codes_MD,
                self._trials,
            )

    def _final(self, executor: Executor, chosen: Sequence[Candidate]) -> tuple[list[FinalJob], dict[str, Report]]:
        jobs = final_jobs(self._setting, chosen)
        self._progress.stage(f"final training of {len(jobs)} networks, the largest teaches the others", len(jobs))
        last: dict[str, Report] = {}

        def on_report(name: str, report: Report) -> None:
            last[name] = report
            if report.epoch == self._config.family.epochs:
                self._progress.step(f"{name}: {report.accuracy:.3f} on search-validation")

        with self._timed("final training"):
            saved = {job.name: checkpoint_of(job, self._setting.place.final).load() for job in jobs}
            for name, state in saved.items():
                if state is not None:
                    last[name] = Report(**state["reports"][-1])
            if any(name not in last or last[name].epoch < self._config.family.epochs for name in saved):
                executor.train(jobs, on_report)
        return jobs, last

    def _hand_over(self, jobs: Sequence[FinalJob], last: dict[str, Report], target: Path, report: Path) -> Family:
        self._progress.stage("reading the test split, exporting the family, writing the report")
        with self._timed("export"):
            finished = [
                self._export(with_test_accuracy(self._setting, one), target)
                for one in finish(self._setting, jobs, last)
            ]
            family = family_of(finished, study_digest(self._trials.by_number.values()))
            family.save(target)
        with self._timed("report"):
            write_report(gather(self._setting, self._study, family), report)
            if report.parent != target:
                (target / "front.png").write_bytes(report.with_name("front.png").read_bytes())
        return family

    def _export(self, finished: Finished, target: Path) -> Finished:
        splits, member = self._setting.splits, finished.member
        teachers = finished.job.teachers
        taught_by = [teacher if isinstance(teacher, str) else teacher.candidate.key for teacher in teachers]
        provenance = Provenance(
            run=self._config.name,
            data=self._config.data.source,
            images={"train": len(splits.train), "search-validation": len(splits.validation), "test": len(splits.test)},
            training={
                "epochs": finished.job.epochs,
                "seed": finished.job.seed,
                "weights": "a soup of its trainings" if finished.job not in finished.jobs else "of one training",
                "teachers": ", ".join(taught_by) or "none",
                "distillation weight": finished.job.distillation_weight if teachers else 0,
                "label weight": finished.job.label_weight if teachers else 1,
            },
        )
        network = network_of(finished.job, splits, self._setting.place.final)
        mean, std = network.normalisation
        spec = InputSpec(
            channels=splits.channels, size=splits.resolution, mean=mean, std=std, classes=splits.classes,
            interpolation=network.interpolation,
        )  # fmt: skip
        latency = measure(network, channels=splits.channels, resolution=splits.resolution)
        member = replace(
            member, latency_ms=round(latency.median_ms, 5), spent={**self._searched(member), **member.spent}
        )
        with_training = partial(write_training, self._setting, finished.job)
        export_member(network.network, member, spec, target / member.name, provenance, with_training)
        self._progress.say(
            f"{member.name}: {amount(member.macs)} macs, {member.search_accuracy:.4f} on search-validation, "
            f"{member.test_accuracy:.4f} on test"
        )
        return replace(finished, member=member)

    def _searched(self, member: Member) -> dict[str, Spent]:
        """What the trials of a member's candidate took; nothing if it was no trial."""
        epochs = self._config.search.epochs
        own = [
            spent(
                record.candidate,
                self._setting.splits,
                epochs=epochs,
                reached=len(record.reports),
                seconds=record.seconds,
            )
            for record in self._trials.by_number.values()
            if record.is_finished and record.candidate.key == member.candidate.key
        ]
        return {"search": together(own)} if own else {}

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to the stage's, over all attempts."""
        began = time.monotonic()
        try:
            yield
        finally:
            key = f"seconds.{stage}"
            spent = float(self._study.notes.get(key, 0.0)) + time.monotonic() - began
            self._study.note(key, round(spent, 2))


def save_config(config: Config) -> None:
    """Keep the resolved configuration in the run's folder."""
    config.folder.mkdir(parents=True, exist_ok=True)
    write_text(config.folder / "config.yaml", config.dump())

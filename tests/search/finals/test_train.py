"""Final training with made-up curves: who goes on, who is trained again, who is taught."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.executors import serial
from search.executors.work import Failure
from search.finals.jobs import as_trial, on_labels, with_teachers
from search.finals.outcome import Finals
from search.finals.train import Trainer, rungs, train_finals
from search.problem.limits import Limits
from search.record.trial import Trial
from search.setting.config import parse
from search.setting.setting import Setting, prepare
from spaces.candidate import Candidate
from spaces.sampling import uniform
from trainables.final.jobs import FinalJob, checkpoint_of, network_of
from trainables.job import Report
from trainables.training.trial import trial as train_trial

TEXT = """
name: alone
runs: RUNS
space:
  name: tiny
  restrict: {architecture.resolution: [8], architecture.depth.0: [1], architecture.depth.1: [1]}
family: {max_macs: [BUDGETS], epochs: 8, finalists: 4, teachers: 1}
"""


@dataclass
class MadeUp:
    """An executor whose trainings have the accuracies that a function names, or fail where it names none."""

    accuracy: Callable[[FinalJob, int], float | None]
    where: Path
    asked: list[list[tuple[str, int]]] = field(default_factory=list)

    def train(
        self,
        jobs: Sequence[FinalJob],
        on_report: Callable[[str, Report], None],
        on_failure: Callable[[str, Failure], None],
    ) -> None:
        self.asked.append([(job.name, job.last_epoch) for job in jobs])
        for job in jobs:
            curve = [self.accuracy(job, epoch) for epoch in range(1, job.last_epoch + 1)]
            reports = [
                Report(epoch=epoch, accuracy=value, loss=1.0, seconds=1.0)
                for epoch, value in enumerate(curve, start=1)
                if value is not None
            ]
            if len(reports) < len(curve):
                on_failure(job.name, Failure(message="it failed"))
                continue
            for report in reports:
                on_report(job.name, report)
            checkpoint_of(job, self.where).save({"reports": [asdict(report) for report in reports]})


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    text = TEXT.replace("RUNS", str(tmp_path)).replace("BUDGETS", "30k, 1M")
    return prepare(parse(text))


def candidates_of(setting: Setting, count: int) -> list[Candidate]:
    """Cheapest first."""
    codes_ND = uniform(setting.space, count, np.random.default_rng(0))
    order_N = np.argsort(setting.problem.costs(codes_ND)["macs"], kind="stable")
    return setting.space.decode(codes_ND[order_N])


def trainer_of(setting: Setting, executor: Any) -> Trainer:
    """One that tells nobody anything."""
    return Trainer(
        executor=executor,
        where=setting.place.final,
        macs=lambda candidate: setting.statistics_of(candidate).macs,
        on_begin=lambda what, jobs: None,
        on_report=lambda job, report: None,
        on_failure=lambda job, failure: None,
    )


def finals_of(
    setting: Setting,
    executor: MadeUp,
    candidates: Sequence[Sequence[Candidate]],
    trials: Sequence[Trial] = (),
    beside: Sequence[FinalJob] = (),
    of_budgets: bool = True,
) -> Finals:
    trainer = trainer_of(setting, executor)
    family, seed = setting.config.family, setting.config.seed
    return train_finals(
        trainer, setting.problem, family, seed, candidates, beside=beside, trials=trials, of_budgets=of_budgets
    )


def made_up(setting: Setting, accuracy: Callable[[FinalJob, int], float | None]) -> MadeUp:
    return MadeUp(accuracy, Path(setting.place.final))


@pytest.mark.parametrize(
    ("candidates", "epochs", "expected"),
    [(1, 20, []), (2, 20, [10]), (3, 20, [5, 10]), (4, 8, [2, 4]), (8, 2, [1, 1, 1])],
)
def test_each_half_trains_for_twice_as_long(candidates: int, epochs: int, expected: list[int]) -> None:
    assert rungs(candidates, epochs) == expected


def test_networks_are_compared_once_all_are_pretrained() -> None:
    assert rungs(4, 20, pretrained=10) == [12, 15]
    assert rungs(4, 8, pretrained=7) == [8, 8]


def test_the_better_half_goes_on_and_the_best_ends(setting: Setting) -> None:
    four = candidates_of(setting, 4)
    final = dict(zip(four, (0.5, 0.8, 0.7, 0.6), strict=True))
    executor = made_up(setting, lambda job, epoch: final[job.candidate] * epoch / 8)
    finals = finals_of(setting, executor, [four])
    assert [[(name.partition("-")[0], epoch) for name, epoch in wave] for wave in executor.asked] == [
        [(candidate.key, 2) for candidate in reversed(four)],  # the largest first
        [(four[2].key, 4), (four[1].key, 4)],
        [(four[1].key, 8)],
    ]
    assert [job.candidate for job in finals.jobs] == [four[1]]
    assert finals.accuracy(finals.jobs[0]) == 0.8
    assert not finals.failed


def test_a_candidate_that_fails_leaves_its_place_to_others(setting: Setting) -> None:
    two = candidates_of(setting, 2)
    executor = made_up(setting, lambda job, epoch: None if job.candidate == two[0] else 0.5)
    finals = finals_of(setting, executor, [two])
    assert [job.candidate for job in finals.ended] == [two[1]]
    assert list(finals.failed.values()) == ["it failed"]


def test_what_has_ended_is_not_trained_again(setting: Setting) -> None:
    four = candidates_of(setting, 4)
    executor = made_up(setting, lambda job, epoch: int(job.candidate.key, 16) % 97 / 97)
    first = finals_of(setting, executor, [four[:2], four[2:]])
    asked = len(executor.asked)
    assert finals_of(setting, executor, [four[:2], four[2:]]) == first
    assert len(executor.asked) == asked


def test_a_trial_that_no_final_training_came_up_to_is_trained_again(setting: Setting) -> None:
    small, large = candidates_of(setting, 2)
    executor = made_up(setting, lambda job, epoch: 0.9 if "-trial-" in job.name else 0.6)
    macs = setting.statistics_of(small).macs
    budgets = (Limits(max_macs=float(macs)), Limits(max_macs=1e6))
    setting = replace(setting, problem=replace(setting.problem, budgets=budgets))
    stopped = trial(setting, 5, large, 0.95, epochs_run=1)
    trials = [trial(setting, 3, small, 0.5), trial(setting, 4, large, 0.9), stopped]
    finals = finals_of(setting, executor, [[small], [large]], trials)
    assert [job.name for job in finals.jobs if "-trial-" in job.name] == [f"{large.key}-trial-4"]
    assert finals.accuracy(as_trial(trials[1])) == 0.9
    asked_for = finals_of(setting, executor, [[small], [large]], trials, of_budgets=False)
    assert {job.candidate for job in asked_for.jobs} == {small, large}
    assert not any("-trial-" in job.name for job in asked_for.jobs)


def trial(setting: Setting, number: int, candidate: Candidate, accuracy: float, epochs_run: int = 2) -> Trial:
    codes_ND = setting.space.encode([candidate])
    return Trial(
        number=number,
        state="complete",
        purpose="search",
        round=0,
        candidate=candidate,
        codes_D=codes_ND[0],
        statistics=setting.statistics(codes_ND)[0],
        epochs=2,
        stop=2,
        seed=7,
        predicted=None,
        reports=tuple(Report(epoch=e, accuracy=accuracy, loss=1.0, seconds=1.0) for e in range(1, epochs_run + 1)),
    )


def test_the_best_teaches_those_that_make_twice_its_errors(setting: Setting) -> None:
    accuracy = dict(zip(candidates_of(setting, 3), (0.8, 0.96, 0.9), strict=True))
    executor = made_up(setting, lambda job, epoch: 0.99 if job.teachers else accuracy[job.candidate])
    finals = finals_of(setting, executor, [[candidate] for candidate in accuracy])
    taught = [job for job in finals.jobs if job.teachers]
    first, best, last = accuracy
    assert [job.candidate for job in taught] == [last, first]
    assert {teacher.candidate for job in taught for teacher in job.teachers if not isinstance(teacher, str)} == {best}
    assert [job.name for job in finals.jobs if not job.teachers] == [f"{candidate.key}-0" for candidate in accuracy]


def test_references_are_trained_beside_and_teach_and_are_not_taught(setting: Setting) -> None:
    one, other = candidates_of(setting, 2)
    accuracy = {one: 0.6, other: 0.95}
    executor = made_up(setting, lambda job, _: 0.7 if job.teachers else accuracy[job.candidate])
    beside = [job for candidate in (one, other) for job in on_labels(setting.config.family, 0, candidate)]
    finals = finals_of(setting, executor, [[one]], beside=beside)
    assert executor.asked[0] == [(f"{other.key}-0", 8), (f"{one.key}-0", 8)], "no pair is trained twice"
    assert [(job.epochs, job.teachers) for job in beside] == [(8, ())] * 2
    (taught,) = [job for job in finals.jobs if job.teachers]
    assert (taught.candidate, taught.teachers) == (one, (beside[1],))
    swapped = finals_of(setting, executor, [[other]], beside=beside)
    assert not [job for job in swapped.jobs if job.teachers], "a reference that is no member was taught"


@pytest.mark.parametrize(("teachers", "pupils"), [(0, 0), (2, 1), (["x@y"], 3)])
def test_who_teaches(setting: Setting, teachers: int | list[str], pupils: int) -> None:
    family = setting.config.family.model_copy(update={"teachers": teachers})
    setting = replace(setting, config=setting.config.model_copy(update={"family": family}))
    accuracy = dict(zip(candidates_of(setting, 3), (0.5, 0.9, 0.9), strict=True))
    finals = finals_of(setting, made_up(setting, lambda job, _: accuracy[job.candidate]), [[c] for c in accuracy])
    taught = [job for job in finals.jobs if job.teachers]
    assert len(taught) == pupils
    assert all(len(job.teachers) == (teachers if isinstance(teachers, int) else 1) for job in taught)


def test_a_paused_training_goes_on_to_the_same_network(tmp_path: Path) -> None:
    text = TEXT.replace("RUNS", str(tmp_path)).replace("BUDGETS", "1M").replace("epochs: 8", "epochs: 2")
    setting = prepare(parse(text))
    (job,) = on_labels(setting.config.family, 0, candidates_of(setting, 1)[0])
    trainer = trainer_of(setting, serial.Executor(setting.place))
    paused = trainer.train("", [replace(job, stop=1)])
    assert [report.epoch for report in paused.reports.values()] == [1]
    (whole,) = trainer.train("", [job]).reports.values()
    apart = replace(setting.place, folder=tmp_path / "apart")
    (at_once,) = replace(trainer, executor=serial.Executor(apart), where=apart.final).train("", [job]).reports.values()
    assert (whole.epoch, whole.accuracy, whole.loss) == (2, at_once.accuracy, at_once.loss)


def test_a_trial_that_is_trained_again_is_the_same_network(tmp_path: Path) -> None:
    setting = prepare(parse(TEXT.replace("RUNS", str(tmp_path)).replace("BUDGETS", "1M")))
    candidate = candidates_of(setting, 1)[0]
    original = trial(setting, 3, candidate, 0.5)
    reports = list(train_trial(as_trial(original).task, setting.splits))
    finals = trainer_of(setting, serial.Executor(setting.place)).train("", [as_trial(original)])
    assert finals.accuracy(as_trial(original)) == reports[-1].accuracy
    assert network_of(as_trial(original), setting.splits, setting.place.final) is not None


def test_the_best_recipes_that_begin_alike_are_trained_for_a_soup(setting: Setting) -> None:
    family = setting.config.family.model_copy(update={"teachers": 0, "soup": "greedy", "soup_recipes": 2})
    chosen, *others = candidates_of(setting, 6)
    trials = [trial(setting, number, one, 0.1 * number) for number, one in enumerate((chosen, *others))]
    made_up = MadeUp(lambda job, epoch: 0.9, Path(setting.place.final))
    finals = train_finals(
        trainer_of(setting, made_up),
        setting.problem,
        family,
        0,
        [[chosen]],
        trials=trials,
        start=lambda candidate: None if candidate == others[-1] else "the same",
    )
    expected = [on_labels(family, 0, one)[0].name for one in (chosen, others[3], others[2])]
    assert [job.name for job in finals.jobs] == expected
    plain = family.model_copy(update={"soup": "none"})
    assert len(train_finals(trainer_of(setting, made_up), setting.problem, plain, 0, [[chosen]]).jobs) == 1


@pytest.mark.parametrize(("method", "able"), [("full", True), ("prompts", False), ("zero_shot", False)])
def test_candidates_whose_classifier_is_class_names_are_trained_untaught(method: str, able: bool) -> None:
    family = parse("name: a").family
    candidate = replace(
        Candidate(backbone="mobile", objective="supervised", architecture={}, recipe={"batch.size": 32}),
        pretraining={"objective": "clip"},
        adaptation={"method": method},
    )
    jobs = with_teachers(family, 0, candidate, ["timm:resnet18"], candidate)
    assert all(bool(job.teachers) == able for job in jobs)
    assert able or jobs == on_labels(family, 0, candidate)

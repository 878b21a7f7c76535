"""What becomes of a member's final trainings."""

import copy
import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from search.errors import UsageError
from search.family.handover import Finalist, member_of
from search.finals.jobs import on_labels
from search.finals.outcome import Finals, budget_rows, failures, finalists_of, one_per_budget
from search.problem.limits import Limits
from search.setting.beginning import Named
from search.setting.config import parse
from search.setting.setting import Setting, prepare
from spaces.sampling import uniform
from tests.nights import by_night
from trainables.final.jobs import FinalJob, keep_network, network_of, train
from trainables.job import Report
from trainables.training.features import scores

TEXT = """
name: alone
runs: RUNS
space:
  name: pretraining
  restrict:
    architecture.backbone: [mobile]
    architecture.mobile.resolution: [8]
    architecture.mobile.depth.0: [1]
    architecture.mobile.depth.1: [1]
    pretraining.mobile.objective: [simclr]
family: {max_macs: [100k], epochs: 3, seeds: 2, teachers: 0, soup: SOUP}
"""


def validated(setting: Setting, network: torch.nn.Module) -> float:
    images = setting.splits.validation
    return float((scores(network, images).argmax(1).numpy() == images.label_N).mean())


@pytest.fixture(scope="module")
def middle(tmp_path_factory: pytest.TempPathFactory) -> tuple[FinalJob, Path]:
    """A final training, and the folder of the run that it ended in."""
    setting = prepare(parse(TEXT.replace("RUNS", str(tmp_path_factory.mktemp("middle"))).replace("SOUP", "none")))
    candidates = setting.space.decode(uniform(setting.space, 1, np.random.default_rng(0)))
    job = replace(on_labels(setting.config.family, setting.config.seed, candidates[0])[0], name="middle")
    list(train(job, setting.splits, setting.config.folder))
    return job, setting.config.folder


def two_sides(trained_before: tuple[FinalJob, Path], runs: Path, soup: str) -> tuple[Setting, Finals]:
    """A trained network, and two trainings of it whose weights lie far to either side of it."""
    setting = prepare(parse(TEXT.replace("RUNS", str(runs)).replace("SOUP", soup)))
    middle, folder = trained_before
    shutil.copytree(folder, setting.config.folder)
    jobs = on_labels(setting.config.family, setting.config.seed, middle.candidate)
    trained = network_of(middle, setting.splits, setting.config.folder)
    reports = {}
    for job, side in zip(jobs, (1, -1), strict=True):
        moved = copy.deepcopy(trained)
        with torch.no_grad():
            weight = moved.network.get_classifier().weight
            noise = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
            weight += side * 3 * weight.std() * noise
        reports[job.name] = Report(epoch=3, accuracy=validated(setting, moved), loss=1.0, seconds=1.0)
        keep_network(job, moved, reports[job.name], setting.config.folder)
    return setting, Finals(jobs=tuple(jobs), reports=reports)


def finalist_of(setting: Setting, finals: Finals) -> Finalist:
    (finalist,) = finalists_of(setting, finals, {})
    return finalist


@pytest.mark.parametrize("soup", by_night(("uniform", "greedy", "learned"), {"greedy"}))
def test_a_better_soup_is_the_member(middle: tuple[FinalJob, Path], tmp_path: Path, soup: str) -> None:
    setting, finals = two_sides(middle, tmp_path, soup)
    finalist = finalist_of(setting, finals)
    assert finalist.job.name.endswith("-soup")
    assert finalist.search_accuracy > max(report.accuracy for report in finals.reports.values())
    network = network_of(finalist.job, setting.splits, setting.config.folder)
    assert validated(setting, network) == finalist.search_accuracy
    member = member_of(setting, "member-1", finalist)
    assert (member.checkpoint, member.seeds) == (f"final/{finalist.job.name}.pt", 2)
    right = scores(network, setting.splits.test).argmax(1).numpy() == setting.splits.test.label_N
    assert member.test_accuracy == pytest.approx(right.mean())
    single = [
        (scores(network_of(job, setting.splits, setting.config.folder), setting.splits.test).argmax(1).numpy()
         == setting.splits.test.label_N).mean()
        for job in finals.jobs
    ]  # fmt: skip
    assert member.test_accuracy_std == pytest.approx(abs(single[0] - single[1]) / math.sqrt(2))


def test_without_a_soup_the_best_training_is_the_member(middle: tuple[FinalJob, Path], tmp_path: Path) -> None:
    setting, finals = two_sides(middle, tmp_path, "none")
    finalist = finalist_of(setting, finals)
    assert finalist.job == max(finals.jobs, key=lambda job: finals.reports[job.name].accuracy)
    assert finalist.search_accuracy == finals.reports[finalist.job.name].accuracy


def test_a_failed_training_leaves_the_others(middle: tuple[FinalJob, Path], tmp_path: Path) -> None:
    setting, finals = two_sides(middle, tmp_path, "uniform")
    lost, other = finals.jobs
    reports = {**finals.reports, lost.name: replace(finals.reports[lost.name], epoch=2)}
    part = replace(finals, reports=reports, messages={lost.name: "its loss is nan"})
    finalist = finalist_of(setting, part)
    assert (finalist.job, finalist.trainings) == (other, (other,))
    assert member_of(setting, "member-1", finalist).seeds == 1
    (sentence,) = failures(setting, part)
    for words in ("of budget 100k (", "failed: its loss is nan"):
        assert words in sentence
    assert failures(setting, finals) == ()


def test_without_a_training_that_ended_there_is_one_sentence(middle: tuple[FinalJob, Path], tmp_path: Path) -> None:
    setting, finals = two_sides(middle, tmp_path, "none")
    with pytest.raises(UsageError, match=r"no final training ended.*before its last epoch.*search resume") as caught:
        finalists_of(setting, replace(finals, reports={}), {})
    assert "\n" not in str(caught.value)


def test_a_reference_that_failed_is_called_so(middle: tuple[FinalJob, Path], tmp_path: Path) -> None:
    setting, finals = two_sides(middle, tmp_path, "none")
    lost = finals.jobs[0]
    part = replace(finals, reports={}, messages={lost.name: "its loss is nan"}).of([lost])
    named = Named(name="By hand", family="", candidate=lost.candidate)
    (sentence,) = failures(setting, part, [named])
    assert "final training of the reference By hand, budget " in sentence


def test_each_budget_has_the_best_network_that_fits(tmp_path: Path) -> None:
    setting, front = networks(tmp_path, [0.5, 0.7, 0.6])
    of_budgets = one_per_budget(setting, front)
    assert [one and one.search_accuracy for one in of_budgets] == [None, 0.5, 0.7, 0.7]
    rows = budget_rows(setting, front, of_budgets)
    assert [row.member for row in rows] == [None, "member-1", "member-2", "member-2"]
    assert budget_rows(setting, front, []) == ()


def networks(runs: Path, accuracies: Sequence[float]) -> tuple[Setting, list[Finalist]]:
    """The front of three trained networks, in a run with a budget below the smallest and one for each."""
    text = TEXT.replace("RUNS", str(runs)).replace("SOUP", "none").replace("seeds: 2", "seeds: 1")
    setting = prepare(parse(text))
    codes_ND = uniform(setting.space, 3, np.random.default_rng(0))
    codes_ND = codes_ND[np.argsort(setting.problem.costs(codes_ND)["macs"])]
    macs = setting.problem.costs(codes_ND)["macs"].tolist()
    budgets = tuple(Limits(max_macs=budget) for budget in (macs[0] - 1, *macs))
    setting = replace(setting, problem=replace(setting.problem, budgets=budgets))
    jobs = [job for c in setting.space.decode(codes_ND) for job in on_labels(setting.config.family, 0, c)]
    reports = {
        job.name: Report(epoch=3, accuracy=accuracy, loss=1.0, seconds=1.0)
        for job, accuracy in zip(jobs, accuracies, strict=True)
    }
    return setting, finalists_of(setting, Finals(jobs=tuple(jobs), reports=reports), {})

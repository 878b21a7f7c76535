"""What becomes of a member's final trainings."""

import copy
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from search.experiment.finals import final_jobs, finish, with_test_accuracy
from search.setting.config import parse
from search.setting.setting import Setting, prepare
from spaces.sampling import uniform
from trainables.final.jobs import FinalJob, keep_network, network_of, train_all
from trainables.training.trial import Report, scores

TEXT = """
name: alone
runs: RUNS
space:
  name: tiny
  restrict: {architecture.resolution: [8], architecture.depth.0: [1], architecture.depth.1: [1]}
family: {max_macs: [60k], epochs: 3, seeds: 2, teachers: 0, soup: SOUP}
"""


def validated(setting: Setting, network: torch.nn.Module) -> float:
    images = setting.splits.validation
    return float((scores(network, images).argmax(1).numpy() == images.label_N).mean())


def two_sides(runs: Path, soup: str) -> tuple[Setting, list[FinalJob], dict[str, Report]]:
    """A trained network, and two trainings of it whose weights lie far to either side of it."""
    setting = prepare(parse(TEXT.replace("RUNS", str(runs)).replace("SOUP", soup)))
    jobs = final_jobs(setting, setting.space.decode(uniform(setting.space, 1, np.random.default_rng(0))))
    middle = replace(jobs[0], name="middle")
    list(train_all([middle], setting.splits, setting.config.folder))
    trained = network_of(middle, setting.splits, setting.config.folder)
    last = {}
    for job, side in zip(jobs, (1, -1), strict=True):
        moved = copy.deepcopy(trained)
        with torch.no_grad():
            weight = moved.network.get_classifier().weight
            noise = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
            weight += side * 3 * weight.std() * noise
        last[job.name] = Report(epoch=3, accuracy=validated(setting, moved), loss=1.0, seconds=1.0)
        keep_network(job, moved, last[job.name], setting.config.folder)
    return setting, jobs, last


@pytest.mark.parametrize("soup", ["uniform", "greedy"])
def test_a_better_soup_is_the_member(tmp_path: Path, soup: str) -> None:
    setting, jobs, last = two_sides(tmp_path, soup)
    (finished,) = finish(setting, jobs, last)
    assert finished.member.checkpoint.endswith("-soup.pt")
    assert finished.member.search_accuracy > max(report.accuracy for report in last.values())
    network = network_of(finished.job, setting.splits, setting.config.folder)
    assert validated(setting, network) == finished.member.search_accuracy
    tested = with_test_accuracy(setting, finished).member
    right = scores(network, setting.splits.test).argmax(1).numpy() == setting.splits.test.label_N
    assert tested.test_accuracy == pytest.approx(right.mean())
    single = [
        (scores(network_of(job, setting.splits, setting.config.folder), setting.splits.test).argmax(1).numpy()
         == setting.splits.test.label_N).mean()
        for job in jobs
    ]  # fmt: skip
    assert tested.test_accuracy_std == pytest.approx(abs(single[0] - single[1]) / math.sqrt(2))


def test_without_a_soup_the_best_training_is_the_member(tmp_path: Path) -> None:
    setting, jobs, last = two_sides(tmp_path, "none")
    (finished,) = finish(setting, jobs, last)
    assert finished.job == max(jobs, key=lambda job: last[job.name].accuracy)
    assert finished.member.search_accuracy == last[finished.job.name].accuracy

"""A family handed over: its folders, its tables, and networks that come back from them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from search.family import handover
from search.family.folder import load_network
from search.family.handover import Examiner, Finalist, examined_references, hand_over, member_of, save_family
from search.family.members import Family, Member, load_family
from search.files import check_sums
from search.setting.beginning import Named
from search.setting.config import parse
from search.setting.setting import Setting, prepare
from spaces.sampling import uniform
from tests.search.products import without_graphs
from trainables.final.jobs import FinalJob, network_of, train
from trainables.training.features import accuracy

TEXT = """
name: alone
runs: RUNS
space:
  name: tiny
  restrict: {architecture.resolution: [8], architecture.depth.0: [1], architecture.depth.1: [1]}
"""


@pytest.fixture(scope="module")
def handed_over(tmp_path_factory: pytest.TempPathFactory) -> tuple[Setting, list[FinalJob], Family, Path]:
    """Two networks, trained for one epoch."""
    setting = prepare(parse(TEXT.replace("RUNS", str(tmp_path_factory.mktemp("runs")))))
    codes_ND = uniform(setting.space, 2, np.random.default_rng(0))
    jobs = [
        FinalJob(name=f"job-{number}", candidate=candidate, epochs=1, seed=0)
        for number, candidate in enumerate(setting.space.decode(codes_ND))
    ]
    reports = {job.name: list(train(job, setting.splits, setting.config.folder))[-1] for job in jobs}
    finalists = [
        Finalist(job=job, trainings=(job,), statistics=costs, search_accuracy=reports[job.name].accuracy, spent={})
        for job, costs in sorted(zip(jobs, setting.statistics(codes_ND), strict=True), key=lambda pair: pair[1].macs)
    ]
    exported: list[Member] = []
    with without_graphs():
        members = hand_over(setting, finalists, setting.config.folder / "family", Examiner(setting), exported.append)
    assert tuple(exported) == members
    family = Family(members=members)
    save_family(family, setting.config.folder / "family")
    return setting, [finalist.job for finalist in finalists], family, setting.config.folder / "family"


def test_members_are_described_by_what_was_measured(
    handed_over: tuple[Setting, list[FinalJob], Family, Path],
) -> None:
    setting, jobs, family, folder = handed_over
    assert load_family(folder) == family
    assert [member.name for member in family.members] == ["member-1", "member-2"]
    for member, job in zip(family.members, jobs, strict=True):
        network = network_of(job, setting.splits, setting.config.folder)
        assert member.candidate == job.candidate
        assert member.search_accuracy == accuracy(network, setting.splits.validation)
        assert member.test_accuracy == accuracy(network, setting.splits.test)
        assert (member.seeds, member.test_accuracy_std) == (1, None)
        assert member.latency_ms is not None
        check_sums(folder / member.name)
        assert f"{member.latency_ms:.3f} ms" in (folder / member.name / "README.md").read_text()


def test_a_network_comes_back_from_its_folder(handed_over: tuple[Setting, list[FinalJob], Family, Path]) -> None:
    setting, jobs, family, folder = handed_over
    image_BCHW, _ = setting.splits.test.batch(np.arange(50))
    state = torch.random.get_rng_state()
    for member, job in zip(family.members, jobs, strict=True):
        network = load_network(folder / member.name)
        assert not network.training
        with torch.no_grad():
            scores_BC = network_of(job, setting.splits, setting.config.folder)(image_BCHW)
            torch.testing.assert_close(network(image_BCHW), scores_BC, rtol=1e-4, atol=1e-4)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_smaller_family_leaves_no_other_member(
    handed_over: tuple[Setting, list[FinalJob], Family, Path], tmp_path: Path
) -> None:
    _, _, family, _ = handed_over
    for name in ("member-1", "member-2", "notes"):
        (tmp_path / name).mkdir()
    save_family(Family(members=family.members[:1]), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["family.csv", "family.json", "member-1", "notes"]


def test_a_member_that_is_a_reference_reads_the_test_split_once(
    handed_over: tuple[Setting, list[FinalJob], Family, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    setting, jobs, _, _ = handed_over
    read = []
    original = handover.scores
    monkeypatch.setattr(handover, "scores", lambda *given: read.append(given) or original(*given))
    finalists = [
        Finalist(
            job=job, trainings=(job,), statistics=setting.statistics_of(job.candidate), search_accuracy=0.5, spent={}
        )
        for job in jobs
    ]
    examiner = Examiner(setting)
    named = [Named(name=job.name, family="by hand", candidate=job.candidate) for job in jobs]
    trained, examined = examined_references(examiner, named, finalists)
    member = member_of(setting, "member-1", finalists[0], examiner=examiner, references=examined)
    assert len(read) == len(jobs)
    assert member.compared is not None
    assert member.compared.itself == jobs[0].name
    assert member.test_accuracy == next(one.test_accuracy for one in trained if one.candidate == member.candidate)

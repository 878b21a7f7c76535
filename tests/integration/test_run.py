"""Whole runs: what one leaves, killed and resumed, on own images, and from earlier ones."""

import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from search.__main__ import main
from search.executors.serial import Executor
from search.family.folder import onnx_runner
from search.family.members import load_family
from search.files import check_sums
from search.identity.saved import saved
from search.setting.config import read
from search.setting.setting import prepare
from tests.processes import At, searching, state, wait_until
from tests.runs import configuration, curves, facts, trials
from tests.search.products import accuracy, without_graphs


def test_a_run_leaves_a_family_with_its_evidence(product: Path) -> None:
    family = load_family(product / "family")
    table = pd.read_csv(product / "family" / "family.csv")
    assert list(table["member"]) == [member.name for member in family.members]
    assert len(table) == 2
    assert (table["macs"].diff().dropna() > 0).all()
    assert (table["search_accuracy"].diff().dropna() > 0).all()
    assert (product / "report.html").stat().st_size > 10_000
    for member in family.members:
        files = {file.name for file in (product / "family" / member.name).iterdir()}
        assert {"model.safetensors", "candidate.json", "README.md", "model.onnx", "model.pt2"} <= files


def test_no_trial_breaks_a_limit(product: Path) -> None:
    setting = prepare(saved(product))
    record = trials(product)
    assert sum(trial.purpose == "search" for trial in record) == 9
    assert all(trial.statistics.macs <= 100_000 for trial in record)
    counted = setting.statistics(setting.space.encode([trial.candidate for trial in record]))
    assert counted == [trial.statistics for trial in record]


def test_the_onnx_files_give_the_test_accuracy(product: Path) -> None:
    test = prepare(saved(product)).splits.test
    images = test.image_NCHW.astype(np.float32) / 255
    for member in load_family(product / "family").members:
        run = onnx_runner(product / "family" / member.name / "model.onnx")
        assert member.test_accuracy is not None
        assert abs(accuracy(run, images, test.label_N) - member.test_accuracy) * len(test) <= 1


@pytest.mark.parametrize("command", ["report", "resume"])
def test_a_finished_run_shows_its_family_and_stays_as_it_is(
    product: Path, tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shutil.copytree(product, tmp_path / "small")
    assert main([command, str(run)]) == 0
    assert "member-1" in capsys.readouterr().out
    assert facts(run) == facts(product)


def test_members_are_evaluated_in_a_run_and_alone(product: Path, tmp_path: Path) -> None:
    run = shutil.copytree(product, tmp_path / "small")
    assert main(["evaluate", str(run), "--with", "continual"]) == 0
    member = run / "family" / "member-1"
    figures = pd.read_csv(member / "evaluations" / "continual.csv")
    assert figures["metric"].tolist()[:2] == ["final", "average incremental"]
    assert "average incremental" in (run / "report.html").read_text()
    check_sums(member)
    shutil.rmtree(member / "evaluations")
    assert main(["evaluate", str(member), "--with", "continual"]) == 0
    pd.testing.assert_frame_equal(pd.read_csv(member / "evaluations" / "continual.csv"), figures)


def test_a_run_that_was_killed_before_its_report_has_it_after_a_resume(product: Path, tmp_path: Path) -> None:
    """And its evaluations: the family alone does not end a run."""
    run = shutil.copytree(product, tmp_path / "small")
    (run / "report.html").unlink()
    assert main(["resume", str(run)]) == 0
    assert (run / "report.html").exists()
    assert facts(run) == facts(product)


MOMENTS = (
    At("trainables.training.checkpoint:Checkpoint.save", call=3, after=True),
    At("search.record.study:Study.finish", call=3),
    At("search.record.study:Study.add", call=5, after=True),
    At("search.executors.serial:Executor.train"),
    At("trainables.training.checkpoint:Checkpoint.save", call=3),
    At("search.files:_write_sums", call=2),
    At("search.experiment.experiment:write_report"),
)
"""In the middle of a trial, before its end is recorded, between two repeats, before and in the middle of the final
trainings, in the export of the second member, before the report."""


def end_as(product: Path, folder: Path, moments: tuple[At, ...]) -> None:
    """Kill a run at each of the moments, in this order, and let it end; it is as the product, which was not killed."""
    run = folder / "runs" / "small"
    for at in moments:
        words = ("resume", run) if (run / "config.yaml").exists() else ("run", configuration(folder, "small"))
        with searching(folder, *words, at=at) as killed:
            assert killed.code == -signal.SIGKILL, (at, killed.error.read_text())
    assert main(["resume", str(run)]) == 0
    assert facts(run) == facts(product)
    assert (run / "report.html").exists()


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_in_the_same_family(product: Path, tmp_path: Path) -> None:
    end_as(product, tmp_path, MOMENTS[:5:4])


@pytest.mark.nightly
def test_a_run_that_is_killed_at_every_stage_ends_in_the_same_family(product: Path, tmp_path: Path) -> None:
    end_as(product, tmp_path, MOMENTS)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(8))
def test_a_run_that_is_killed_at_any_moment_ends_in_the_same_family(product: Path, tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    every = ("search.record.journal:Journal.append_logs", "trainables.training.checkpoint:Checkpoint.save")
    draws = [(every[rng.integers(2)], int(rng.integers(1, 6)), bool(rng.integers(2))) for _ in range(6)]
    end_as(product, tmp_path, tuple(At(function, call, after) for function, call, after in draws))


def test_a_second_process_is_kept_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = At("search.executors.work:Workplace.work", number=signal.SIGSTOP)
    with searching(tmp_path, "run", configuration(tmp_path, "small"), at=at) as first:
        wait_until(lambda: state(first.process.pid or 0) == "T")
        assert main(["resume", str(tmp_path / "runs" / "small")]) == 2
    assert "another process works on" in capsys.readouterr().err


def test_another_configuration_does_not_overwrite_a_run(
    product: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = read(configuration(tmp_path, "small"))
    other = config.model_copy(update={"runs": str(product.parent), "seed": 5})
    (tmp_path / "other.yaml").write_text(other.dump())
    assert main(["run", str(tmp_path / "other.yaml")]) == 2
    assert "holds a run of another configuration" in capsys.readouterr().err


@pytest.mark.slow
def test_own_images_in_folders(tmp_path: Path) -> None:
    digits = load_digits()
    for number, (image, label) in enumerate(zip(digits.images[:300], digits.target[:300], strict=True)):
        folder = tmp_path / "images" / f"digit-{label}"
        folder.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray((image * 15.9).astype(np.uint8)).resize((20 + number % 5, 22))
        picture.save(folder / f"{number}.png")
    data = f"{{source: folder, path: {tmp_path / 'images'}, resolution: 16, cache: {tmp_path / 'cache'}}}"
    few = {"budgets": "[60k]", "trials": "4, initial: 3, batch: 1"}
    with without_graphs():
        assert main(["run", str(configuration(tmp_path, "own", data=data, **few))]) == 0
    described = json.loads((tmp_path / "runs" / "own" / "family" / "member-1" / "input.json").read_text())
    assert described["classes"] == [f"digit-{label}" for label in range(10)]
    assert (described["decoding"]["channels"], described["decoding"]["side"]) == (3, 16)


@pytest.mark.nightly
def test_a_warm_start_stays_with_the_run(
    product: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to the choice of the family, which the repeats are trained for."""

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Executor, "train", stopped)
    file = configuration(tmp_path, "warm", limit="70k", trials="4, initial: 3, batch: 1")
    assert main(["run", str(file), "--warm-start", str(product)]) == 130
    assert f"of 9 trials of {product} fit this space" in capsys.readouterr().out
    again = tmp_path / "again"
    (again / "warm").mkdir(parents=True)
    for name in ("config.yaml", "warm_start.json"):  # as if killed before the first trial, and the past were gone
        (again / "warm" / name).write_text((tmp_path / "runs" / "warm" / name).read_text())
    assert main(["resume", str(again / "warm")]) == 130
    assert curves(again / "warm") == curves(tmp_path / "runs" / "warm")
    assert {trial.purpose for trial in trials(again / "warm")} == {"search", "repeat"}
    capsys.readouterr()
    assert main(["run", str(configuration(tmp_path, "cold")), "--warm-start", str(tmp_path / "nowhere")]) == 2
    assert "holds no run" in capsys.readouterr().err

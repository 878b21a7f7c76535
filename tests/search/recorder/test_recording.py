"""A table of one's own: recorded in pieces, even in the logarithm of the cost, and played by the replay."""

import json
from pathlib import Path

import numpy as np
import pytest

from search.__main__ import main
from search.files import alone
from search.recorder.even import even_in_log_cost
from search.recorder.recording import Plan, read_rows
from search.replay import tables
from search.replay.samplers import play_samplers
from search.setting.beginning import beginning_of
from search.setting.config import parse, read
from search.setting.setting import prepare
from spaces.codes import distinct
from spaces.mistake import Mistake

TEXT = """
name: recorded
runs: RUNS
data: {source: digits, validation: 0.3, test: 0.6}
space:
  name: tiny
  restrict: {architecture.resolution: [8], architecture.depth.0: [1], architecture.depth.1: [1]}
limits: {max_macs: 100k}
search: {epochs: 2}
family: {max_macs: 3}
run: {executor: serial}
tracking: {enabled: false}
"""


def configuration(folder: Path, text: str = TEXT) -> Path:
    file = folder / "record.yaml"
    file.write_text(text.replace("RUNS", str(folder)))
    return file


def record(folder: Path, *options: str) -> int:
    words = ["record", str(configuration(folder)), "--candidates", "6", "--repeat", "2"]
    return main([*words, "--out", str(folder / "joint"), *options])


def test_a_recording_goes_on_and_is_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert record(tmp_path, "--most", "3") == 0
    early = read_rows(tmp_path / "joint")
    assert [(row["row"], row["turn"]) for row in early] == [(0, 0), (1, 0), (2, 0)]
    with (tmp_path / "joint" / "rows.jsonl").open("a") as file:
        file.write('{"plan": "torn')  # by a kill
    assert record(tmp_path) == 0
    rows = read_rows(tmp_path / "joint")
    assert rows[:3] == early
    assert sorted((row["row"], row["turn"]) for row in rows) == sorted(
        [(row, 0) for row in range(6)] + [(row, turn) for row in (0, 5) for turn in (1, 2, 3)]
    )
    assert "12 trainings, 3 of them done before" in capsys.readouterr().out
    assert record(tmp_path, "--repeat", "0") == 0
    assert "6 trainings, 6 of them done before; 6 more than these are in the folder" in capsys.readouterr().out
    table = tables.load(tmp_path / "joint" / "joint.json")
    assert len(table.codes_ND) == 6
    assert np.isfinite(table.scores_NS).sum() == 12
    whole = np.isfinite(table.scores_NS).all(axis=1)
    np.testing.assert_allclose(table.scores_NS[whole].mean(axis=1), table.truth_N[whole])
    assert sorted(table.costs["macs"]) == sorted({row["row"]: row["statistics"]["macs"] for row in rows}.values())
    with pytest.raises(Mistake, match="6 candidates with a score; a replay needs at least 10"):
        play_samplers([tmp_path / "joint" / "joint.json"], ["random"], 4, 1, 3, tmp_path / "played", modes=["family"])


def test_a_second_recording_into_the_same_folder_is_kept_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "joint").mkdir()
    with alone(tmp_path / "joint"):
        assert record(tmp_path) == 2
    assert "another process works on" in capsys.readouterr().err
    assert not read_rows(tmp_path / "joint")


def test_rows_of_another_plan_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert record(tmp_path, "--most", "1") == 0
    assert record(tmp_path, "--candidates", "7") == 2
    assert "rows of another configuration, other data, another seed or number of candidates" in capsys.readouterr().err


def test_a_table_is_extended_by_what_a_search_would_train_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert record(tmp_path) == 0
    base = tmp_path / "joint" / "joint.json"
    options = ["--candidates", "0", "--searched", "10", "--extend", str(base), "--out", str(tmp_path / "more")]
    file = configuration(tmp_path, TEXT.replace("epochs: 2", "epochs: 2, references: all, initial: 40"))
    assert main(["record", str(file), *options, "--most", "3"]) == 0
    assert main(["record", str(file), *options]) == 0
    assert "10 trainings, 3 of them done before" in capsys.readouterr().out
    rows = read_rows(tmp_path / "more")
    assert len({json.dumps(row["candidate"]) for row in rows}) == 10
    old, new = tables.load(base), tables.load(tmp_path / "more" / "more.json")
    assert len(new.codes_ND) == 16
    np.testing.assert_array_equal(new.truth_N[:6], old.truth_N)
    assert (new.costs["macs"] <= 100e3).all()
    first = beginning_of(prepare(read(file))).first
    assert [row["candidate"] for row in rows[:2]] == [one.candidate.to_dict() for one in first[:2]]
    other = configuration(tmp_path, TEXT.replace("epochs: 2", "epochs: 3"))
    assert main(["record", str(other), *options]) == 2
    assert "needs a table of the same trainings: epochs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ("", ["--candidates", "0"], "--candidates is 0"),
        ("", ["--repeat", "-1"], "--repeat is -1, and at least 0"),
        ("limits: {max_macs: 100k}", [], "give limits.max_macs"),
    ],
)
def test_mistakes_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, options: list[str], message: str
) -> None:
    file = configuration(tmp_path, TEXT.replace(change, "") if change else TEXT)
    assert main(["record", str(file), "--out", str(tmp_path / "out"), *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_candidates_are_even_in_the_logarithm_of_the_cost(tmp_path: Path) -> None:
    problem = prepare(parse(TEXT.replace("RUNS", str(tmp_path)))).problem
    codes_ND = even_in_log_cost(problem, 200, np.random.default_rng(0))
    few_ND, again_ND = (even_in_log_cost(problem, 5, np.random.default_rng(0)) for _ in range(2))
    assert np.array_equal(few_ND, again_ND)
    assert len(distinct(codes_ND)) == len(codes_ND)
    macs_N = problem.costs(codes_ND)["macs"]
    assert problem.feasible(codes_ND).all()
    edges = np.geomspace(macs_N.min() * 0.999, 1e5, 6)
    counts = np.histogram(macs_N, edges)[0]
    assert counts.min() > 0.5 * counts.max()
    first = np.histogram(macs_N[:40], edges)[0]
    assert first.min() >= 4, "the first rows are not even"


def test_costs_of_few_values_give_as_many_candidates_as_asked(tmp_path: Path) -> None:
    config = parse(TEXT.replace("RUNS", str(tmp_path)))
    fixed = {
        a: d.values[:1] for a, d in prepare(config).space.architecture.items() if a not in ("resolution", "activation")
    }
    values = {f"architecture.{address}": list(few) for address, few in fixed.items()} | {
        "architecture.resolution": [8, 16]
    }
    problem = prepare(config.model_copy(update={"space": config.space.model_copy(update={"restrict": values})})).problem
    codes_ND = even_in_log_cost(problem, 120, np.random.default_rng(0))
    assert len(distinct(codes_ND)) == 120
    assert np.unique(problem.costs(codes_ND)["macs"], return_counts=True)[1].tolist() == [60, 60]


def test_first_trainings_come_before_second_ones() -> None:
    plan = Plan(codes_ND=np.arange(10, dtype=np.int16)[:, None], seed=0, seeds=1, repeat=3, more=2)
    assert plan.trainings[:10] == [(row, 0) for row in range(10)]
    assert plan.trainings[10:] == [(row, turn) for turn in (1, 2) for row in (0, 4, 9)]
    assert len({plan.seed_of(row, turn) for row, turn in plan.trainings}) == 16
    assert json.dumps(plan.digest)


def test_rows_of_other_data_or_epochs_are_not_taken_for_those_of_a_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert record(tmp_path, "--most", "1") == 0
    for old, new in (("epochs: 2", "epochs: 1"), ("validation: 0.3", "validation: 0.3, labels: 0.5")):
        words = ["record", str(configuration(tmp_path, TEXT.replace(old, new))), "--candidates", "6", "--repeat", "2"]
        assert main([*words, "--out", str(tmp_path / "joint")]) == 2
        assert "holds rows of another configuration, other data" in capsys.readouterr().err


@pytest.mark.parametrize("line", [b"\xff\xfe{}", b"{}", b"[]", b"3", b"{"])
def test_a_row_that_is_none_is_named(line: bytes, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(line + b"\n")
    with pytest.raises(Mistake, match=r"line 1 of '.*' is no training"):
        read_rows(tmp_path)


@pytest.mark.parametrize(
    ("to", "words"), [("/proc/x", "cannot be written"), ("record.yaml", "is a file; name a folder")]
)
def test_a_place_that_is_no_folder_is_told_first(
    to: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = configuration(tmp_path)
    assert main(["record", str(file), "--candidates", "6", "--out", str(tmp_path / to)]) == 2
    assert words in capsys.readouterr().err

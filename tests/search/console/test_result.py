"""What a terminal shows of a finished run: a row for every budget, and what to do next."""

from pathlib import Path

import pytest

from search.console.result import next_steps, show, table
from search.family.members import BudgetRow, Family
from search.setting.config import parse
from tests.search.products import REFERENCES, beside_references, member

MEMBERS = (
    member("member-1", macs=1_000, test_accuracy=0.9, latency_ms=0.0441, compared=beside_references(0.9, 1_000)),
    member("member-2", macs=20_000, test_accuracy=0.95, latency_ms=12.3),
)
BUDGETS = tuple(
    BudgetRow(max_macs=budget, member=name)
    for budget, name in ((900.0, None), (1e3, "member-1"), (1e4, "member-1"), (3e4, "member-2"))
)
FAMILY = Family(members=MEMBERS, budgets=BUDGETS, references=REFERENCES, test_images=200)


def test_every_budget_has_a_row() -> None:
    assert [line.split(None, 1)[0] for line in table(FAMILY)] == ["budget", "900", "1k", "10k", "30k"]
    header, nothing, first, same, last = (" ".join(line.split()) for line in table(FAMILY))
    assert header == "budget network macs test accuracy ms by hand times fewer macs"
    assert nothing == "900 none: nothing fits"
    assert first.startswith("1k member-1 1k .900 (.851-.934) .044 .600 4 (3.6 to >4)")
    assert same == "10k same network as 1k"
    assert last == "30k member-2 20k .950 (.910-.973) 12"


def test_rows_fit_80_columns_and_hold_no_empty_column() -> None:
    assert max(map(len, table(FAMILY))) <= 80
    plain = Family(members=MEMBERS[1:], test_images=200)
    assert table(plain)[0].split() == ["network", "macs", "test", "accuracy", "ms"]
    bare = Family(members=(member(),))
    assert table(bare)[1].split() == ["member-1", "1k", ".900", "(search)"]


def test_a_budget_whose_training_failed_says_so() -> None:
    family = Family(members=MEMBERS, budgets=BUDGETS, failures=("final training of budget 900 failed: boom",))
    assert "none, since its training failed" in table(family)[1]


def test_a_latency_of_a_busy_machine_is_said_to_be_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = parse(f"name: shown\nruns: {tmp_path}\ntracking: {{enabled: false}}")
    show(FAMILY, config)
    assert "other work" not in capsys.readouterr().out
    busy = member("member-1", macs=1_000, test_accuracy=0.9, latency_ms=2.0, latency_spread_ms=1.1)
    show(Family(members=(busy, MEMBERS[1])), config)
    assert "the machine did other work while member-1 ran for its latency" in capsys.readouterr().out


def test_the_end_says_what_to_do_next_in_three_lines(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    show(FAMILY, parse(f"name: shown\nruns: {tmp_path}/my runs\ntracking: {{enabled: false}}"))
    shown = capsys.readouterr().out.rstrip().splitlines()
    assert tuple(shown[-3:]) == next_steps(FAMILY, tmp_path / "my runs" / "shown")
    assert f"'{tmp_path}/my runs/shown/family/member-2/predict.py'" in shown[-3]  # quoted, so that a shell takes it
    assert shown[-2].endswith("report.html'")
    assert shown[-1].endswith("--max-macs 1.5k")

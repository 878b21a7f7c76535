"""``search.prior``: which recorded tables a configuration starts from, and what is said of it."""

from pathlib import Path

import pytest

from search.__main__ import main
from search.experiment.warm_start import check_unchanged, read_earlier, write_earlier
from search.learning.earlier import Earlier
from search.setting import prior
from search.setting.config import Config, ConfigError
from search.setting.prior import prior_of
from spaces import tiny
from tests.search.learning.test_earlier import recorded_table


def config(**search: object) -> Config:
    return Config.model_validate({"name": "new", "search": search})


@pytest.fixture
def shipped_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = recorded_table(tmp_path / "priors")
    monkeypatch.setattr(prior, "shipped", lambda space: [path] if space == "tiny" else [])
    return path


def test_auto_takes_the_tables_of_the_space(shipped_table: Path) -> None:
    chosen = prior_of(config(prior="auto"), tiny.space())
    assert [table.source for table in chosen.tables] == ["made_up"]
    assert list(chosen.describe()) == ["prior: 12 of 12 recorded candidates of 'made_up' fit this space"]


def test_auto_leaves_the_place_to_what_the_user_named(shipped_table: Path) -> None:
    run = Earlier(source="runs/old", trials=2, params=({}, {}), scores=(0.1, 0.2))
    assert prior_of(config(prior="auto"), tiny.space(), beside=[run]).tables == ()
    assert len(prior_of(config(prior=str(shipped_table)), tiny.space(), beside=[run]).tables) == 1


@pytest.mark.parametrize("search", [{"prior": "none"}, {"sampler": "tpe"}, {"predictor": "mlp"}])
def test_no_prior_where_nobody_could_use_it(shipped_table: Path, search: dict[str, str]) -> None:
    assert list(prior_of(config(**{"prior": "auto"} | search), tiny.space()).describe()) == []


def test_a_table_that_does_not_hold_the_space_is_left_out_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recorded_table(tmp_path / "priors", tiny.space().restrict({"architecture.resolution": [8]}))
    monkeypatch.setattr(prior, "shipped", lambda space: [path])
    (sentence,) = prior_of(config(prior="auto"), tiny.space()).describe()
    assert sentence.endswith("'made_up' is left out: it does not know architecture.resolution 12")


def test_mistakes_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"search\.prior: .*none.json does not exist"):
        prior_of(config(prior=str(tmp_path / "none.json")), tiny.space())
    with pytest.raises(ConfigError, match=r"needs the sampler 'nars'; search\.sampler is 'random'"):
        prior_of(config(prior="table.json", sampler="random"), tiny.space())


def test_check_says_it_before_anything_is_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one_row, good = recorded_table(tmp_path / "one", rows=1), recorded_table(tmp_path / "good")
    text = f"name: c\nruns: {tmp_path}\ndata: {{source: digits}}\nrun: {{executor: serial}}\nsearch: {{prior: %s}}\n"
    (tmp_path / "one.yaml").write_text(text % one_row)
    (tmp_path / "good.yaml").write_text(text % good)
    assert main(["check", str(tmp_path / "one.yaml")]) == 2
    assert "needs at least 2" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "good.yaml")]) == 0
    assert "prior: 12 of 12 recorded candidates of 'made_up' fit this space" in capsys.readouterr().out


def test_what_a_run_took_from_tables_stays_with_it(tmp_path: Path, shipped_table: Path) -> None:
    tables = prior_of(config(prior="auto"), tiny.space()).tables
    write_earlier(tmp_path / "new", tables)
    assert tuple(read_earlier(tmp_path / "new")) == tables
    check_unchanged(tmp_path / "new", [])  # tables are no runs that the user named

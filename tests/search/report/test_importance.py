import numpy as np
import pytest

from search.report.evidence import trials_frame
from search.report.importance import (
    addresses,
    decompose,
    encode,
    importance,
    interaction,
    joint_effect,
    training_addresses,
)
from tests.search.products import records


def test_the_cause_of_the_score_is_the_most_important():
    result = importance(trials_frame(records(120)))
    assert result is not None
    assert result.table["address"][0] == "architecture.depth.0"
    resolution = result.table.set_index("address")["mean"]["architecture.resolution"]
    assert abs(resolution) < 0.1 * result.table["mean"][0]
    assert result.r2 > 0.7


def test_pretraining_has_importance():
    trials = trials_frame(records(120))
    objective = np.random.default_rng(0).choice(["none", "simclr"], size=len(trials))
    trials["pretraining.objective"] = objective
    trials["score"] += np.where(objective == "simclr", 0.5, 0.0)
    result = importance(trials)
    assert result is not None
    assert result.table["address"][0] == "pretraining.objective"
    assert "pretraining.objective" in training_addresses(trials)
    assert not any(name.startswith("architecture.") for name in training_addresses(trials))


def test_noise_has_no_importance():
    trials = trials_frame(records(120))
    trials["score"] = np.random.default_rng(0).normal(size=len(trials))
    result = importance(trials)
    assert result is not None
    assert result.r2 < 0.1


def test_too_few_trials_have_no_importance():
    trials = trials_frame(records(15))
    assert importance(trials) is None
    assert interaction(trials) is None


@pytest.mark.parametrize("seed", range(3))
def test_the_intervals_of_an_interaction_hold_what_all_trials_say(seed: int):
    shares = interaction(trials_frame(records(60)), seed)
    assert shares is not None
    assert shares.both_interval is not None
    assert shares.flips_interval is not None
    assert shares.both_interval[0] <= shares.both <= shares.both_interval[1]
    assert shares.flips_interval[0] <= shares.flips <= shares.flips_interval[1]


def test_of_many_trials_an_even_selection_is_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("search.report.importance.MOST_TRIALS", 50)
    few = importance(trials_frame(records(51)))
    assert few is not None
    assert few.r2 > 0.5  # 50 of them, not every second


def test_variance_shares_of_tables_whose_answer_is_known():
    rng = np.random.default_rng(0)
    row, column = rng.normal(size=(30, 1)), rng.normal(size=(1, 30))
    added = decompose(row + column, rng)
    assert added.both == pytest.approx(0, abs=1e-12)
    assert added.flips == 0
    row, column = row - row.mean(), column - column.mean()
    multiplied = decompose(row * column, rng)
    assert multiplied.both == pytest.approx(1)
    # A pair of architectures turns around exactly where the two recipes' factors differ in sign.
    positive = float((column > 0).mean())
    assert multiplied.flips == pytest.approx(2 * positive * (1 - positive) * 30 / 29, abs=0.02)


def test_encoding_keeps_inactive_apart_and_groups_one_hot_columns():
    trials = trials_frame(records(40))
    names = addresses(trials)
    assert "recipe.optimizer.lr.sgd" in names
    x, groups = encode(trials, names)
    assert len(groups["recipe.optimizer.name"]) == 2
    rates = x[:, groups["recipe.optimizer.lr.sgd"][0]]
    inactive = trials["recipe.optimizer.lr.sgd"].isna().to_numpy()
    assert rates[inactive].max() < rates[~inactive].min()


def test_the_joint_effect_is_the_mean_by_both():
    trials = trials_frame(records(60))
    names = ("architecture.depth.0", "recipe.optimizer.name")
    table = joint_effect(trials, *names)
    rows = trials[(trials[names[0]] == 2) & (trials[names[1]] == "sgd")]
    assert table.loc[2, "sgd"] == pytest.approx(rows["score"].mean())


def test_intervals_tell_the_cause_from_the_rest():
    shown = importance(trials_frame(records(120))).shown["address"].tolist()
    assert shown[0] == "architecture.depth.0"
    assert "architecture.resolution" not in shown
    trials = trials_frame(records(120))
    trials["score"] = np.random.default_rng(0).normal(size=len(trials))
    assert importance(trials).shown.empty, "noise has no effect"

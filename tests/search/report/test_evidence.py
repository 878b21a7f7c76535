import pandas as pd
import pytest

from search.report.evidence import curves_frame, trials_frame
from tests.search.products import records
from tests.search.report.examples import evidence


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match=r"'rounds' lacks .*'tau'"):
        evidence(rounds=pd.DataFrame({"round": [1], "trained": [1]}))


def test_frames_hold_every_trial_and_epoch():
    ended = records(30)
    trials, curves = trials_frame(ended), curves_frame(ended)
    assert trials["number"].tolist() == [trial.number for trial in ended]
    assert trials["score"].isna().sum() == 1
    assert len(curves) == sum(len(trial.reports) for trial in ended)
    sgd = trials[trials["recipe.optimizer.name"] == "sgd"]
    assert sgd["recipe.optimizer.lr.sgd"].notna().all()
    assert sgd["recipe.optimizer.lr.adamw"].isna().all()

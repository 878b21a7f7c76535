import base64
import gzip
import json

import numpy as np

from search.report.live import live_data, packed_library
from tests.search.report.examples import evidence, whole_run


def test_the_data_holds_trials_members_and_curves_and_no_markup():
    text = live_data(whole_run())
    assert not set("<>&") & set(text)
    document = json.loads(text)
    assert len(document["trials"]["number"]) == 60
    assert set(map(len, document["values"].values())) == {60}
    assert [one["name"] for one in document["members"]] == ["member-1", "member-2"]
    share, low, high = document["members"][0]["test"]
    assert low < share < high
    assert document["members"][1]["test"] == [None, None, None]
    number, (epochs, accuracies) = next(iter(document["curves"].items()))
    assert len(epochs) == len(accuracies) > 0
    assert int(number) in document["trials"]["number"]


def test_no_accuracy_that_was_predicted_is_impossible():
    run = whole_run()
    trials = run.trials.assign(predicted_mean=1.3, predicted_std=0.5)
    predicted = json.loads(live_data(evidence(trials=trials)))["predicted"]
    assert np.min(predicted["low"]) >= 0
    assert np.max([predicted["mean"], predicted["high"]]) == 1


def test_the_library_is_plotlys_own_and_packed_the_same_each_time():
    code = gzip.decompress(base64.b64decode(packed_library()))
    assert b"Plotly" in code[:200]
    assert b"MIT license" in code[:400]
    packed_library.cache_clear()
    assert gzip.decompress(base64.b64decode(packed_library())) == code
    assert len(packed_library()) < 2.5e6

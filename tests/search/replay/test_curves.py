import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from search.__main__ import main
from search.replay.curves import Surrogate, play, regret_differences, summary
from search.replay.rules import INITIAL, RULES, Full, Paper
from search.stopping.ranks import stop_epoch
from tests.search.curves import crossing


@pytest.mark.parametrize("name", [name for name in RULES if name != "full"])
@pytest.mark.parametrize("workers", [1, 3])
def test_every_rule_plays_to_the_end_and_saves_something(name, workers):
    curves = crossing(trials=80, bands=3)
    first, again = (play(curves, RULES[name], workers) for _ in range(2))
    assert 0.02 < first["cost"] < 1
    assert 0 <= first["regret"] <= 1
    assert 0 <= first["whole"] < 1
    del first["seconds"], again["seconds"]
    assert first == again


def test_full_training_is_the_reference():
    figures = play(crossing(), Full)
    assert [figures[name] for name in ("cost", "whole", "regret", "points", "tau")] == [1, 1, 0, 0, pytest.approx(1)]


def test_the_papers_rule_stops_where_the_first_trials_say():
    curves = crossing(trials=60)
    stop = stop_epoch(curves.curve_NE[:INITIAL].tolist(), 20, 0.92)
    figures = play(curves, Paper)
    assert stop < 20
    assert figures["cost"] == pytest.approx((INITIAL * 20 + (60 - INITIAL) * stop) / (60 * 20))
    assert figures["tau"] == pytest.approx(kendalltau(curves.curve_NE[:, stop - 1], curves.curve_NE[:, -1]).statistic)
    best = np.argmax(curves.curve_NE[:, stop - 1])
    assert figures["points"] == pytest.approx(100 * (curves.curve_NE[:, -1].max() - curves.curve_NE[best, -1]))


def test_means_are_over_tasks_and_differences_are_paired():
    rows = [
        {"task": t, "seed": s, "rule": r, "cost": 0.1, "whole": 0.1, "regret": base + shift, "points": 0.0,
         "band_regret": 0.0, "tau": 1.0, "seconds": 0.0}
        for t, base in (("a", 0.1), ("b", 0.3)) for s in range(2) for r, shift in (("regret", 0.0), ("other", 0.05))
    ]  # fmt: skip
    played = pd.DataFrame(rows)
    assert summary(played).loc["regret", ["regret", "regret_stderr"]].tolist() == pytest.approx([0.2, 0.1])
    assert regret_differences(played, "regret")["other"] == pytest.approx((-0.05, 0.0), abs=1e-12)


def test_a_folder_without_the_surrogate_is_named(tmp_path, capsys):
    (tmp_path / "tasks.json").write_text(json.dumps(["1"]))
    assert main(["fidelity", str(tmp_path)]) == 2
    assert "lacks model.onnx, config_space.json, encoding.json" in capsys.readouterr().err
    with pytest.raises(ValueError, match="holds no surrogate"):
        Surrogate(tmp_path)


@pytest.mark.parametrize("arguments", [["--rules", "nonsense"], ["--seeds", "0"], ["--tasks", "0"]])
def test_wrong_arguments_are_named(tmp_path, capsys, arguments):
    assert main(["fidelity", str(tmp_path), *arguments]) == 2
    assert arguments[1] in capsys.readouterr().err

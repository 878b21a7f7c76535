"""Play stopping rules over recorded learning curves: what they save, and what it costs.

Curves come from a folder with a published surrogate of learning curves (YAHPO Gym's of LCBench: ``model.onnx``,
``config_space.json``, ``encoding.json`` and ``tasks.json``). A rule sees the trials in a random order, a number of them
side by side, one epoch at a time, and answers after each whether the trial goes on.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import kendalltau

from search.replay.rules import RULES, Curves, Rule
from spaces.mistake import Mistake

Values = NDArray[np.float64]

FIRST, LAST = 2, 52
"""Epochs of the surrogate that are used. Its first is an artefact: its ranks have nothing to do with the later ones."""

LOGARITHMIC = ("batch_size", "learning_rate", "max_units")


class Surrogate:
    """Learning curves of LCBench's tasks, without noise."""

    def __init__(self, folder: Path) -> None:
        """Load.

        Raises:
            Mistake: the folder lacks one of the four files.
        """
        missing = [name for name in ("model.onnx", "config_space.json", "encoding.json", "tasks.json")
                   if not (folder / name).is_file()]  # fmt: skip
        if missing:
            raise Mistake(f"'{folder}' holds no surrogate of learning curves: it lacks {', '.join(missing)}")
        self.tasks: list[str] = json.loads((folder / "tasks.json").read_text())
        self._codes = json.loads((folder / "encoding.json").read_text())["OpenML_task_id"]
        space = json.loads((folder / "config_space.json").read_text())["hyperparameters"]
        self._ranges = {h["name"]: (h["lower"], h["upper"]) for h in space if "lower" in h and h["name"] != "epoch"}
        self._whole = {h["name"] for h in space if h["type"] == "uniform_int"}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)

    COLUMNS = ("batch_size", "learning_rate", "momentum", "weight_decay", "num_layers", "max_units", "max_dropout")

    def draw(self, name: str, trials: int, bands: int, seed: int) -> Curves:
        """Configurations drawn uniformly, on logarithmic scales where they belong, and their curves.

        Cost bands are quantiles of layers x units^2, to which the macs of a plain network are about proportional.
        """
        rng = np.random.default_rng(seed)
        unit_NC = rng.random((trials, len(self.COLUMNS)))
        raw_NC = np.empty_like(unit_NC)
        for column, key in enumerate(self.COLUMNS):
            low, high = self._ranges[key]
            if key in LOGARITHMIC:
                raw_NC[:, column] = low * (high / low) ** unit_NC[:, column]
            else:
                raw_NC[:, column] = low + (high - low) * unit_NC[:, column]
            if key in self._whole:
                raw_NC[:, column] = raw_NC[:, column].round()
        epoch_E = np.arange(FIRST, LAST + 1.0)
        x = np.column_stack([np.tile(epoch_E, trials), raw_NC.repeat(len(epoch_E), axis=0)]).astype(np.float32)
        code = np.full((len(x), 1), self._codes[name], dtype=np.int32)
        accuracy = self._session.run(None, {"x_cat": code, "x_cont": x})[0][:, 1] / 100
        cost_N = raw_NC[:, self.COLUMNS.index("num_layers")] * raw_NC[:, self.COLUMNS.index("max_units")] ** 2
        inner = np.quantile(cost_N, np.arange(1, bands) / bands)
        curve_NE = np.clip(accuracy.reshape(trials, len(epoch_E)), 0, 1).astype(float)
        return Curves(name=name, curve_NE=curve_NE, trait_NC=unit_NC, band_N=np.searchsorted(inner, cost_N))


@dataclass(slots=True)
class _Running:
    number: int
    curve: list[float] = field(default_factory=list)


def play(recorded: Curves, make: Callable[[Curves], Rule], workers: int = 1) -> dict[str, float]:
    """Play a rule over a recorded.

    Returns:
        ``cost`` (epochs as a share of full training), ``regret`` ((best - kept) / (best - median)), ``points`` (best -
        kept, in percentage points of accuracy), ``band_regret`` (mean over cost bands of the regret among the trials up
        to that band), ``tau`` (Kendall, of what a predictor is told with the true finals), ``whole`` (share of trials
        that were trained in full) and ``seconds`` of the rule per trial.
    """
    rule = make(recorded)
    curves: dict[int, list[float]] = {}
    running: list[_Running] = []
    waiting, spent = iter(range(len(recorded.curve_NE))), 0.0
    while True:
        running += [_Running(number) for _, number in zip(range(workers - len(running)), waiting, strict=False)]
        if not running:
            break
        for trial in list(running):
            trial.curve.append(float(recorded.curve_NE[trial.number, len(trial.curve)]))
            began = time.perf_counter()
            if not rule.goes_on(trial.number, trial.curve):
                rule.ended(trial.number, trial.curve)
                curves[trial.number] = trial.curve
                running.remove(trial)
            spent += time.perf_counter() - began
    return _measures(recorded, [curves[n] for n in sorted(curves)], rule) | {"seconds": spent / len(curves)}


def _measures(recorded: Curves, curves: Sequence[Sequence[float]], rule: Rule) -> dict[str, float]:
    scores = rule.scores()
    final_N, length_N = recorded.curve_NE[:, -1], np.array([len(curve) for curve in curves])
    score_N = np.array([curve[-1] for curve in curves] if scores is None else scores)

    def lost(rows: NDArray[np.intp]) -> tuple[float, float]:
        longest = rows[length_N[rows] == length_N[rows].max()] if rule.compares_whole else rows
        best = float(final_N[rows].max())
        loss = best - float(final_N[longest[np.argmax(score_N[longest])]])
        return loss, loss / max(best - float(np.median(final_N[rows])), 1e-12)

    points, regret = lost(np.arange(len(final_N)))
    by_band = [lost(np.flatnonzero(recorded.band_N <= band))[1] for band in np.unique(recorded.band_N)]
    return {
        "cost": float(length_N.sum() / recorded.curve_NE.size),
        "regret": regret,
        "points": 100 * points,
        "band_regret": float(np.mean(by_band)),
        "whole": float((length_N == recorded.curve_NE.shape[1]).mean()),
        "tau": float(kendalltau(score_N, final_N).statistic),
    }


def play_rules(
    folder: Path, rules: Sequence[str], *, trials: int, seeds: int, bands: int, workers: int, tasks: int | None = None
) -> pd.DataFrame:
    """Play rules over every task and seed of a folder; one row each. A seed draws the same trials for every rule.

    Raises:
        Mistake: a rule that does not exist, a count below 1, or a folder without a surrogate.
    """
    unknown = [name for name in rules if name not in RULES]
    if unknown:
        raise Mistake(f"there is no stopping rule '{unknown[0]}'; there are: {', '.join(RULES)}")
    counts = {"trials": trials, "seeds": seeds, "bands": bands, "workers": workers, "tasks": tasks}
    for name, count in counts.items():
        if count is not None and count < 1:
            raise Mistake(f"{name} is {count}; it must be at least 1")
    surrogate = Surrogate(folder)
    rows: list[dict[str, Any]] = []
    for name in surrogate.tasks[:tasks]:
        for seed in range(seeds):
            recorded = surrogate.draw(name, trials, bands, seed)
            for rule in rules:
                rows.append({"task": name, "seed": seed, "rule": rule, **play(recorded, RULES[rule], workers)})
    return pd.DataFrame(rows)


def summary(played: pd.DataFrame) -> pd.DataFrame:
    """Means over tasks and seeds with standard errors over tasks of the tasks' means, one row per rule."""
    measures = ["cost", "whole", "regret", "points", "band_regret", "tau", "seconds"]
    by_task = played.groupby(["rule", "task"], sort=False)[measures].mean()
    grouped = by_task.groupby("rule", sort=False)
    table = grouped.mean().join(grouped.sem().add_suffix("_stderr"))
    return table[[column for measure in measures for column in (measure, f"{measure}_stderr")]]


def regret_differences(played: pd.DataFrame, rule: str) -> dict[str, tuple[float, float]]:
    """Regret of a rule minus that of each other on the same trials: mean and standard error over tasks."""
    by_task = played.pivot_table(index="task", columns="rule", values="regret")
    difference_TR = -by_task.drop(columns=rule).sub(by_task[rule], axis="index")
    means, stderrs = difference_TR.mean().tolist(), difference_TR.sem().tolist()
    return dict(zip(difference_TR.columns, zip(means, stderrs, strict=True), strict=True))

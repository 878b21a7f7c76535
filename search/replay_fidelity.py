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
from typing import Any, Protocol

import numpy as np
import onnxruntime
import optuna
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import kendalltau

from search.fidelity import stop_epoch
from search.fidelity_regret import Ended, RegretRule

Values = NDArray[np.float64]

FIRST, LAST = 2, 52
"""Epochs of the surrogate that are used. Its first is an artefact: its ranks have nothing to do with the later ones."""

INITIAL, THRESHOLD = 24, 0.92
"""Of the paper's rule: trials trained in full before it decides (``search.initial``), and its rank correlation."""

LOGARITHMIC = ("batch_size", "learning_rate", "max_units")


@dataclass(frozen=True, kw_only=True)
class Task:
    """Trials in the order they start: accuracies curve_NE, what is known before training trait_NC, cost band_N."""

    name: str
    curve_NE: Values
    trait_NC: Values
    band_N: NDArray[np.intp]


class Surrogate:
    """Learning curves of LCBench's tasks, without noise."""

    def __init__(self, folder: Path) -> None:
        """Load.

        Raises:
            ValueError: the folder lacks one of the four files.
        """
        missing = [name for name in ("model.onnx", "config_space.json", "encoding.json", "tasks.json")
                   if not (folder / name).is_file()]  # fmt: skip
        if missing:
            raise ValueError(f"'{folder}' holds no surrogate of learning curves: it lacks {', '.join(missing)}")
        self.tasks: list[str] = json.loads((folder / "tasks.json").read_text())
        self._codes = json.loads((folder / "encoding.json").read_text())["OpenML_task_id"]
        space = json.loads((folder / "config_space.json").read_text())["hyperparameters"]
        self._ranges = {h["name"]: (h["lower"], h["upper"]) for h in space if "lower" in h and h["name"] != "epoch"}
        self._whole = {h["name"] for h in space if h["type"] == "uniform_int"}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)

    COLUMNS = ("batch_size", "learning_rate", "momentum", "weight_decay", "num_layers", "max_units", "max_dropout")

    def draw(self, name: str, trials: int, bands: int, seed: int) -> Task:
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
        task = np.full((len(x), 1), self._codes[name], dtype=np.int32)
        accuracy = self._session.run(None, {"x_cat": task, "x_cont": x})[0][:, 1] / 100
        cost_N = raw_NC[:, self.COLUMNS.index("num_layers")] * raw_NC[:, self.COLUMNS.index("max_units")] ** 2
        inner = np.quantile(cost_N, np.arange(1, bands) / bands)
        curve_NE = np.clip(accuracy.reshape(trials, len(epoch_E)), 0, 1).astype(float)
        return Task(name=name, curve_NE=curve_NE, trait_NC=unit_NC, band_N=np.searchsorted(inner, cost_N))


class Rule(Protocol):
    """A stopping rule at work on one task.

    Attributes:
        compares_whole: whether what it keeps is chosen among the trials that were trained in full, or among all.
    """

    compares_whole: bool

    def goes_on(self, number: int, curve: Sequence[float]) -> bool:
        """Whether trial ``number``, whose accuracies so far are given, goes on."""

    def ended(self, number: int, curve: Sequence[float]) -> None:
        """The trial has ended."""

    def scores(self) -> Sequence[float] | None:
        """What a predictor is told of each trial, by number; None for the last accuracy of each."""


class Full:
    """Every trial is trained in full."""

    compares_whole = True

    def __init__(self, task: Task) -> None:
        self._epochs: int = task.curve_NE.shape[1]

    def goes_on(self, number: int, curve: Sequence[float]) -> bool:
        return len(curve) < self._epochs

    def ended(self, number: int, curve: Sequence[float]) -> None:
        return None

    def scores(self) -> Sequence[float] | None:
        return None


class Paper(Full):
    """FBNetV3: the first trials in full, the others to the first epoch whose ranks agree with the final ones."""

    compares_whole = False

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._initial: list[list[float]] = []
        self._curves: dict[int, Sequence[float]] = {}
        self._stop = self._epochs

    def goes_on(self, number: int, curve: Sequence[float]) -> bool:
        return len(curve) < (self._epochs if number < INITIAL else self._stop)

    def ended(self, number: int, curve: Sequence[float]) -> None:
        self._curves[number] = curve
        if number < INITIAL:
            self._initial.append(list(curve))
            if len(self._initial) == INITIAL:
                self._stop = stop_epoch(self._initial, self._epochs, THRESHOLD)

    def scores(self) -> Sequence[float] | None:
        return [curve[min(self._stop, len(curve)) - 1] for _, curve in sorted(self._curves.items())]


class Regret(Full):
    """``search.fidelity_regret`` with the tolerance of the configuration's default."""

    def __init__(self, task: Task, *, tolerance: float = 0.01, audit: float = 0.0, seed: int = 0) -> None:
        super().__init__(task)
        self._task = task
        self._rule = RegretRule(epochs=self._epochs, trials=len(task.curve_NE), tolerance=tolerance)
        self._audited_N = np.random.default_rng(seed).random(len(task.curve_NE)) < audit

    def goes_on(self, number: int, curve: Sequence[float]) -> bool:
        if self._audited_N[number]:
            return len(curve) < self._epochs
        return self._rule.goes_on(curve, self._task.trait_NC[number], int(self._task.band_N[number]))

    def ended(self, number: int, curve: Sequence[float]) -> None:
        band = int(self._task.band_N[number])
        self._rule.end(number, Ended(curve=tuple(curve), trait_C=self._task.trait_NC[number], band=band))

    def scores(self) -> Sequence[float] | None:
        return self._rule.finals(range(len(self._task.curve_NE)))


class Asha(Full):
    """Ray Tune's ``AsyncHyperBandScheduler`` with its defaults."""

    def __init__(self, task: Task) -> None:
        from search.executors import ray_asha  # which nobody else here has to wait for

        super().__init__(task)
        self._asha = ray_asha.Asha(self._epochs)

    def goes_on(self, number: int, curve: Sequence[float]) -> bool:
        return self._asha.goes_on(number, len(curve), curve[-1]) and len(curve) < self._epochs


class OptunaPruner(Full):
    """One of Optuna's pruners, asked through a study in memory."""

    def __init__(self, task: Task, pruner: optuna.pruners.BasePruner) -> None:
        super().__init__(task)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(study_name=task.name, direction="maximize", pruner=pruner)
        self._trials: dict[int, optuna.Trial] = {}

    def goes_on(self, number: int, curve: Sequence[float]) -> bool:
        if number not in self._trials:
            self._trials[number] = self._study.ask()
        trial = self._trials[number]
        trial.report(curve[-1], len(curve))
        return len(curve) < self._epochs and not trial.should_prune()

    def ended(self, number: int, curve: Sequence[float]) -> None:
        whole = len(curve) == self._epochs
        state = optuna.trial.TrialState.COMPLETE if whole else optuna.trial.TrialState.PRUNED
        self._study.tell(self._trials[number], curve[-1] if whole else None, state=state)


RULES: dict[str, Callable[[Task], Rule]] = {
    "full": Full,
    "paper": Paper,
    "regret": Regret,
    "regret_audited": lambda task: Regret(task, audit=0.125),
    "ray_asha": Asha,
    "optuna_hyperband": lambda task: OptunaPruner(
        task, optuna.pruners.HyperbandPruner(max_resource=task.curve_NE.shape[1])
    ),
    "optuna_halving": lambda task: OptunaPruner(task, optuna.pruners.SuccessiveHalvingPruner()),
}
"""Every rule with the settings that its makers recommend, by name."""


@dataclass(slots=True)
class _Running:
    number: int
    curve: list[float] = field(default_factory=list)


def play(task: Task, make: Callable[[Task], Rule], workers: int = 1) -> dict[str, float]:
    """Play a rule over a task.

    Returns:
        ``cost`` (epochs as a share of full training), ``regret`` ((best - kept) / (best - median)), ``points`` (best -
        kept, in percentage points of accuracy), ``band_regret`` (mean over cost bands of the regret among the trials up
        to that band), ``tau`` (Kendall, of what a predictor is told with the true finals), ``whole`` (share of trials
        that were trained in full) and ``seconds`` of the rule per trial.
    """
    rule = make(task)
    curves: dict[int, list[float]] = {}
    running: list[_Running] = []
    waiting, spent = iter(range(len(task.curve_NE))), 0.0
    while True:
        running += [_Running(number) for _, number in zip(range(workers - len(running)), waiting, strict=False)]
        if not running:
            break
        for trial in list(running):
            trial.curve.append(float(task.curve_NE[trial.number, len(trial.curve)]))
            began = time.perf_counter()
            if not rule.goes_on(trial.number, trial.curve):
                rule.ended(trial.number, trial.curve)
                curves[trial.number] = trial.curve
                running.remove(trial)
            spent += time.perf_counter() - began
    return _measures(task, [curves[n] for n in sorted(curves)], rule) | {"seconds": spent / len(curves)}


def _measures(task: Task, curves: Sequence[Sequence[float]], rule: Rule) -> dict[str, float]:
    told = rule.scores()
    final_N, length_N = task.curve_NE[:, -1], np.array([len(curve) for curve in curves])
    score_N = np.array([curve[-1] for curve in curves] if told is None else told)

    def lost(rows: NDArray[np.intp]) -> tuple[float, float]:
        longest = rows[length_N[rows] == length_N[rows].max()] if rule.compares_whole else rows
        best = float(final_N[rows].max())
        loss = best - float(final_N[longest[np.argmax(score_N[longest])]])
        return loss, loss / max(best - float(np.median(final_N[rows])), 1e-12)

    points, regret = lost(np.arange(len(final_N)))
    by_band = [lost(np.flatnonzero(task.band_N <= band))[1] for band in np.unique(task.band_N)]
    return {
        "cost": float(length_N.sum() / task.curve_NE.size),
        "regret": regret,
        "points": 100 * points,
        "band_regret": float(np.mean(by_band)),
        "whole": float((length_N == task.curve_NE.shape[1]).mean()),
        "tau": float(kendalltau(score_N, final_N).statistic),
    }


def replay(
    folder: Path, rules: Sequence[str], *, trials: int, seeds: int, bands: int, workers: int, tasks: int | None = None
) -> pd.DataFrame:
    """Play rules over every task and seed of a folder; one row each. A seed draws the same trials for every rule.

    Raises:
        ValueError: a rule that does not exist, a count below 1, or a folder without a surrogate.
    """
    unknown = [name for name in rules if name not in RULES]
    if unknown:
        raise ValueError(f"there is no stopping rule '{unknown[0]}'; there are: {', '.join(RULES)}")
    for name, count in {"trials": trials, "seeds": seeds, "bands": bands, "workers": workers}.items():
        if count < 1:
            raise ValueError(f"{name} is {count}; it must be at least 1")
    surrogate = Surrogate(folder)
    rows: list[dict[str, Any]] = []
    for name in surrogate.tasks[:tasks]:
        for seed in range(seeds):
            task = surrogate.draw(name, trials, bands, seed)
            for rule in rules:
                rows.append({"task": name, "seed": seed, "rule": rule, **play(task, RULES[rule], workers)})
    return pd.DataFrame(rows)


def summary(played: pd.DataFrame) -> pd.DataFrame:
    """Means over tasks and seeds with standard errors over tasks of the tasks' means, one row per rule."""
    measures = ["cost", "whole", "regret", "points", "band_regret", "tau", "seconds"]
    by_task = played.groupby(["rule", "task"], sort=False)[measures].mean()
    grouped = by_task.groupby("rule", sort=False)
    table = grouped.mean().join(grouped.sem(), rsuffix="_stderr")
    return table[[column for measure in measures for column in (measure, f"{measure}_stderr")]]


def compare(played: pd.DataFrame, rule: str) -> dict[str, tuple[float, float]]:
    """Regret of a rule minus that of each other on the same trials: mean and standard error over tasks."""
    by_task = played.pivot_table(index="task", columns="rule", values="regret")
    differences = {other: by_task[rule] - by_task[other] for other in by_task.columns if other != rule}
    return {other: (float(by.mean()), float(by.sem())) for other, by in differences.items()}

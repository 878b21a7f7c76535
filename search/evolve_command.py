"""``python -m search evolve RUN``: new limits, or some dimensions fixed, on a finished study; pairs in seconds."""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from predictors.protocol import Predictor
from search.breeding import describe_limits
from search.config import parse_amount
from search.device import FILE, Device, device_of, load_device
from search.errors import UsageError
from search.evolve import Pick, evolve
from search.feasible import smallest
from search.files import write_text
from search.limits import Limits, UnreachableLimit
from search.narrow import narrow, parse_fixed
from search.problem import Observations, Problem
from search.progress import amount
from search.quality import Learner
from search.run_command import saved
from search.setting import Setting, prepare
from search.stage1 import Trials
from search.study import Record, Study, read_storage
from search.warm_start import sources
from spaces.sampling import uniform
from spaces.space import Codes, Space
from trainables.trial import Report

LEAST_TRIALS = 4
STARTS = 64
"""Best trials that the evolution starts from."""
COSTS = ("macs", "params", "activations", "latency_ms")
HELP = {
    "macs": "multiply-accumulates, such as 20M,40M,80M: one pair for each",
    "params": "parameters; one value for all, or as many as there are budgets",
    "activations": "output elements; likewise",
    "latency_ms": "milliseconds, predicted; likewise. Several values without --max-macs: a pair for each",
}


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """The ended trial that differs from a pick in the fewest dimensions; the better one of equals."""

    record: Record
    score: float
    changes: int


class _Silent:
    """A listener for a study that is only read."""

    def reported(self, record: Record, report: Report) -> None:
        """Nothing to do."""

    def ended(self, record: Record) -> None:
        """Nothing to do."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``evolve``."""
    parser.add_argument("run", type=Path, help="folder of a run, such as runs/digits")
    for cost in COSTS:
        parser.add_argument(f"--max-{cost.replace('_', '-')}", metavar="LIMITS", help=HELP[cost])
    parser.add_argument(
        "--latency-file",
        type=Path,
        help="latencies of another device (the latency.json of a run there); without it this machine is measured once",
    )
    parser.add_argument(
        "--fix", action="append", default=[], metavar="ADDRESS=VALUE", help="e.g. recipe.optimizer.name=sgd; repeatable"
    )
    parser.add_argument(
        "--objective",
        choices=("best", "pareto"),
        default="best",
        help="best: one pair for each limit; pareto: the front from the cheapest candidate up to the limit",
    )
    parser.add_argument("--points", type=int, default=12, help="budgets along the front (with --objective pareto)")
    parser.add_argument("--per-budget", type=int, default=1, help="different pairs for each limit")
    parser.add_argument(
        "--confidence",
        type=float,
        help="standard deviations to subtract from the prediction; as in the run if not given",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the evolution")
    parser.add_argument("--out", type=Path, help="file to write; RUN/candidates.json if not given")


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a run has recorded: its ended trials, and what a predictor may learn from each of them."""

    setting: Setting
    ended: tuple[Record, ...]
    observed: Observations


def read_run(folder: Path, latency: bool = False, latency_file: Path | None = None) -> Known:
    """Read a run's study, also while it goes on.

    Args:
        folder: of the run.
        latency: whether predicted latency is among the costs even where the run had no limit on it.
        latency_file: a device other than the run's.

    Raises:
        UsageError: the folder holds no run, the run has too few ended trials, or it limits the latency of one device
            and another is given.
    """
    config = saved(folder)
    setting = prepare(config)
    if latency_file is not None:
        if config.limits.max_latency_ms is not None:
            raise UsageError(
                f"'{folder}' limits the latency of the device in its own {FILE}; --latency-file needs a run without "
                "limits.max_latency_ms"
            )
        setting = setting.with_device(load_device(latency_file, setting.space, setting.splits))
    elif latency and setting.device is None:
        setting = setting.with_device(device_of(config.folder, setting.space, setting.splits, None))
    try:
        storage = read_storage(config.folder, config.run.storage)
        study = Study(name=config.name, storage=storage, space=setting.space, create=False)
    except FileNotFoundError as error:
        raise UsageError(f"'{folder}' has no study yet: {error}") from None
    trials = Trials(setting, study, _Silent())
    ended = tuple(record for _, record in sorted(trials.records.items()) if record.is_finished)
    if len(ended) < LEAST_TRIALS:
        raise UsageError(f"'{folder}' has {len(ended)} ended trials; evolve needs at least {LEAST_TRIALS}")
    return Known(setting=setting, ended=ended, observed=trials.observations(ended))


def run(arguments: argparse.Namespace) -> None:
    """Refit the predictor to the study, evolve, print and write the candidates.

    Raises:
        UsageError: the run has too few trials, or an argument makes no sense for it.
    """
    known = read_run(arguments.run, arguments.max_latency_ms is not None, arguments.latency_file)
    config = known.setting.config
    search = config.search
    began = time.monotonic()
    learner = Learner(
        problem=known.setting.problem,
        name=search.predictor,
        pretrain=search.pretrain,
        seed=config.seed,
        sources=sources(config.folder, known.setting.space),
    )
    model = learner.learn(known.observed)
    fitted = time.monotonic()
    try:
        picks, wide_ND = _search(known, model, arguments)
    except UnreachableLimit:
        raise
    except ValueError as error:
        raise UsageError(str(error)) from None
    evolved = time.monotonic()
    nearest = [_nearest(codes_D, known) for codes_D in wide_ND]
    out = arguments.out or config.folder / "candidates.json"
    _write(out, entries(picks, known.setting.space, wide_ND, nearest, known.setting.device))
    console = Console()
    if known.setting.device is not None:
        console.print(known.setting.device.describe(), highlight=False, soft_wrap=True)
    console.print(table_of(picks, nearest, config.name))
    console.print(
        f"{len(known.ended)} trials; {learner.describe} fitted in {fitted - began:.1f} s, "
        f"evolved in {evolved - fitted:.1f} s; candidates: {out}",
        highlight=False,
        soft_wrap=True,
    )


def _search(known: Known, model: Predictor, arguments: argparse.Namespace) -> tuple[tuple[Pick, ...], Codes]:
    """The picks, and their codes in the space of the run."""
    family, observed = known.setting.config.family, known.observed
    confidence = family.confidence if arguments.confidence is None else arguments.confidence
    problem, lift = narrow(known.setting.problem, parse_fixed(known.setting.space, arguments.fix))
    best_first = np.argsort(-observed.score_N, kind="stable")
    picks = evolve(
        problem,
        model,
        budgets=budgets_of(arguments, problem),
        start_ND=lift.lower(observed.codes_ND[best_first[:STARTS]]),
        rng=np.random.default_rng(arguments.seed),
        confidence=confidence,
        per_budget=arguments.per_budget,
        lift=lift,
    )
    if arguments.objective == "pareto":
        picks = front(picks, confidence)
    return picks, lift(np.stack([pick.codes for pick in picks]))


def budgets_of(arguments: argparse.Namespace, problem: Problem) -> tuple[Limits, ...]:
    """The limits that the arguments ask for; the run's own budgets if they name none.

    Raises:
        ValueError: not a number, lists of different lengths, or a limit above the run's own.
    """
    given = {cost: _numbers(cost, getattr(arguments, f"max_{cost}")) for cost in COSTS}
    given = {cost: values for cost, values in given.items() if values}
    for cost, bound in problem.limits.bounds().items():
        if max(given.get(cost, [0.0])) > bound:
            raise ValueError(
                f"--max-{cost.replace('_', '-')} {max(given[cost]):,.6g} is above the run's own limit of {bound:,.6g}; "
                "no trial went beyond it, so the predictor knows nothing there"
            )
    if arguments.objective == "pareto":
        return _along_the_front(given, arguments.points, problem)
    if not given:
        return problem.budgets
    count = max(map(len, given.values()))
    for cost, values in given.items():
        if len(values) not in (1, count):
            raise ValueError(f"--max-{cost.replace('_', '-')} has {len(values)} values; it needs 1 or {count}")
    return tuple(
        Limits(**{f"max_{cost}": values[k % len(values)] for cost, values in given.items()}) for k in range(count)
    )


def _along_the_front(given: dict[str, list[float]], points: int, problem: Problem) -> tuple[Limits, ...]:
    """Budgets on the first limited cost (macs if none is), evenly spaced in the logarithm."""
    if points < 2:
        raise ValueError(f"--points must be at least 2, given {points}")
    several = [cost for cost, values in given.items() if len(values) > 1]
    if several:
        raise ValueError(f"--objective pareto takes one limit a cost, given {len(given[several[0]])} on {several[0]}")
    along = next(iter(given), "macs")
    largest = [budget.bounds()[along] for budget in problem.budgets if along in budget.bounds()]
    top = given[along][0] if along in given else problem.limits.bounds().get(along, max(largest, default=np.inf))
    if not np.isfinite(top):
        raise ValueError(f"--objective pareto needs a limit on {along}, since the run has none")
    upper = Limits(**{f"max_{cost}": values[0] for cost, values in given.items()})
    if along not in problem.costs(uniform(problem.space, 1, np.random.default_rng(0))):
        return (replace(upper, **{f"max_{along}": float(top)}),)  # evolve says which costs are known
    low = smallest(problem.space, problem.costs, along)
    bounds = np.geomspace(min(low, top), top, points)
    bounds[0] = low  # geomspace rounds, and the smallest candidate must fit
    return tuple(replace(upper, **{f"max_{along}": float(bound)}) for bound in bounds)


def _numbers(cost: str, text: str | None) -> list[float]:
    if text is None:
        return []
    values = [parse_amount(part) for part in text.split(",")]
    if not all(isinstance(value, float) and np.isfinite(value) and value > 0 for value in values):
        raise ValueError(f"--max-{cost.replace('_', '-')} takes positive numbers such as 20M,40M, given '{text}'")
    return values


def front(picks: Sequence[Pick], confidence: float) -> tuple[Pick, ...]:
    """The picks that no cheaper one matches; budgets ascend, so a pick must beat all before it."""
    kept: list[Pick] = []
    for pick in picks:
        if not kept or pick.mean - confidence * pick.std > kept[-1].mean - confidence * kept[-1].std:
            kept.append(pick)
    return tuple(kept)


def _nearest(codes_D: Codes, known: Known) -> Nearest:
    changes_N = (known.observed.codes_ND != codes_D).sum(axis=1)
    row = int(np.lexsort((-known.observed.score_N, changes_N))[0])
    return Nearest(record=known.ended[row], score=float(known.observed.score_N[row]), changes=int(changes_N[row]))


def entries(
    picks: Sequence[Pick], space: Space, codes_ND: Codes, nearest: Sequence[Nearest], device: Device | None = None
) -> list[dict[str, Any]]:
    """The picks as JSON values; ``candidate`` is what ``candidate.json`` of a member holds."""
    latency = {"device": device.name, "relative_error": device.relative_error} if device is not None else None
    return [
        {
            "candidate": candidate.to_dict(),
            "key": candidate.key,
            "budget": {field.name: getattr(pick.budget, field.name) for field in fields(pick.budget)},
            "predicted": {
                "mean": pick.mean,
                "std": pick.std,
                "upper": pick.upper,
                "upper_is_certain": pick.certain,
                "upper_estimate": pick.estimate,
            },
            "statistics": dict(pick.costs),
            "latency_is_predicted_for": latency,
            "nearest_trial": {"number": near.record.number, "score": near.score, "changes": near.changes},
            "why": pick.why,
        }
        for pick, candidate, near in zip(picks, space.decode(codes_ND), nearest, strict=True)
    ]


def _write(path: Path, content: list[dict[str, Any]]) -> None:
    try:
        write_text(path, json.dumps(content, indent=2) + "\n")
    except OSError as error:
        raise UsageError(f"cannot write '{path}': {error.strerror or error}") from None


def _upper(pick: Pick) -> str:
    estimate = f"{pick.estimate:.4f} (estimate)"
    if not pick.certain:
        return estimate
    return f"{pick.upper:.4f} (proven)" + ("" if pick.estimate == pick.upper else f"\n{estimate}")


def table_of(picks: Sequence[Pick], nearest: Sequence[Nearest], name: str) -> Table:
    """The picks for people."""
    table = Table(title=f"pairs for {name}", show_lines=True)
    costs = list(picks[0].costs)
    headings = [f"{cost} (predicted)" if cost == "latency_ms" else cost for cost in costs]
    for heading in ("within", "predicted", "at most", *headings, "nearest trial", "why"):
        table.add_column(heading, overflow="fold")
    for pick, near in zip(picks, nearest, strict=True):
        changes = "the same" if near.changes == 0 else f"{near.changes} changes"
        table.add_row(
            "\n".join(f"{cost} {amount(bound)}" for cost, bound in pick.budget.bounds().items())
            or describe_limits(pick.budget),
            f"{pick.mean:.4f} ± {pick.std:.4f}",
            _upper(pick),
            *(amount(pick.costs[cost]) for cost in costs),
            f"#{near.record.number}: {near.score:.4f}, {changes}",
            pick.why,
        )
    return table

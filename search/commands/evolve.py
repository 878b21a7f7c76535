"""Evolve pairs on a finished study in seconds, under new limits or with some dimensions fixed."""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from predictors.protocol import Predictor
from search.errors import UsageError
from search.evolution.evolve import Pick, evolve
from search.experiment.pairs import STARTS, Nearest, entries, front, nearest
from search.experiment.running import Known, read_run
from search.experiment.warm_start import sources
from search.files import write_text
from search.learning.learner import Learner
from search.problem.feasible import smallest
from search.problem.limits import COSTS, Limits, describe_limits
from search.problem.problem import Problem
from search.problem.restriction import narrow, parse_fixed
from search.words import amount, parse_amount
from spaces.sampling import uniform
from spaces.space import Codes

HELP = {
    "macs": "multiply-accumulates, such as 20M,40M,80M: one pair for each",
    "params": "parameters; one value for all, or as many as there are budgets",
    "activations": "output elements; likewise",
    "latency_ms": "milliseconds, predicted; likewise. Several values without --max-macs: a pair for each",
}


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
    picks, wide_ND = _search(known, model, arguments)
    evolved = time.monotonic()
    near = [nearest(codes_D, known) for codes_D in wide_ND]
    out = arguments.out or config.folder / "candidates.json"
    _write(out, entries(picks, known.setting.space, wide_ND, near, known.setting.device))
    console = Console()
    if known.setting.device is not None:
        console.print(known.setting.device.describe(), highlight=False, soft_wrap=True)
    console.print(table_of(picks, near, config.name))
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
        UsageError: not a number, lists of different lengths, or a limit above the run's own.
    """
    given = {cost: _numbers(cost, getattr(arguments, f"max_{cost}")) for cost in COSTS}
    given = {cost: values for cost, values in given.items() if values}
    for cost, bound in problem.limits.bounds().items():
        if max(given.get(cost, [0.0])) > bound:
            raise UsageError(
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
            raise UsageError(f"--max-{cost.replace('_', '-')} has {len(values)} values; it needs 1 or {count}")
    return tuple(
        Limits(**{f"max_{cost}": values[k % len(values)] for cost, values in given.items()}) for k in range(count)
    )


def _along_the_front(given: dict[str, list[float]], points: int, problem: Problem) -> tuple[Limits, ...]:
    """Budgets on the first limited cost (macs if none is), evenly spaced in the logarithm."""
    if points < 2:
        raise UsageError(f"--points must be at least 2, given {points}")
    several = [cost for cost, values in given.items() if len(values) > 1]
    if several:
        raise UsageError(f"--objective pareto takes one limit a cost, given {len(given[several[0]])} on {several[0]}")
    along = next(iter(given), "macs")
    largest = [budget.bounds()[along] for budget in problem.budgets if along in budget.bounds()]
    top = given[along][0] if along in given else problem.limits.bounds().get(along, max(largest, default=np.inf))
    if not np.isfinite(top):
        raise UsageError(f"--objective pareto needs a limit on {along}, since the run has none")
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
        raise UsageError(f"--max-{cost.replace('_', '-')} takes positive numbers such as 20M,40M, given '{text}'")
    return values


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

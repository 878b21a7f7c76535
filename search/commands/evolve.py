"""Evolve pairs on a finished study in seconds, under new limits or with some dimensions fixed."""

import argparse
from pathlib import Path

from search.commands._arguments import seed
from search.problem.budgets import option
from search.problem.limits import COSTS

EXAMPLE = "evolve runs/digits --max-macs 8k,30k"
POINTS = 12
"""Budgets along a front, unless told."""
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
        parser.add_argument(option(cost), metavar="LIMITS", help=HELP[cost])
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
    parser.add_argument("--points", type=int, help=f"budgets along the front (with --objective pareto; {POINTS})")
    parser.add_argument("--per-budget", type=int, default=1, help="different pairs for each limit")
    parser.add_argument(
        "--confidence",
        type=float,
        help="standard deviations to subtract from the prediction; as in the run if not given",
    )
    parser.add_argument("--seed", type=seed, default=0, help="of the evolution")
    parser.add_argument("--out", type=Path, help="file to write; RUN/candidates.json if not given")


def run(arguments: argparse.Namespace) -> None:
    """Carry out the command.

    Raises:
        Mistake: see ``search.commands._evolve``.
    """
    from search.commands import _evolve

    _evolve.evolve_run(arguments)

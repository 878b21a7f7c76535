"""What ``python -m search evolve`` does."""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from predictors.protocol import Predictor
from search.commands.evolve import POINTS
from search.console.lines import tell
from search.errors import UsageError
from search.evolution.evolve import STARTS, evolve
from search.experiment.pairs import Pair, entries, front, pairs_of, table
from search.experiment.running import Known, read_run
from search.experiment.warm_start import earlier_observations
from search.files import check_writable, write_text
from search.learning.learner import Learner
from search.problem.budgets import budgets_along, budgets_of, parse_bounds
from search.problem.limits import COSTS, Limits
from search.problem.problem import Problem
from search.problem.restriction import Lift, narrow, parse_fixed


def evolve_run(arguments: argparse.Namespace) -> None:
    """Refit the predictor to the study, evolve, print and write the candidates.

    Raises:
        UsageError: the run has too few trials, or the file cannot be written.
        Mistake: an argument makes no sense for the run.
    """
    if arguments.points is not None and arguments.objective != "pareto":
        raise UsageError("--points divides a front: add --objective pareto, or leave it out")
    if arguments.out is not None:
        if arguments.out.is_dir():
            raise UsageError(f"--out '{arguments.out}' is a folder; name a file")
        if not arguments.out.parent.is_dir():
            raise UsageError(f"cannot write '{arguments.out}': there is no folder '{arguments.out.parent}'")
        check_writable(arguments.out.parent)
    known = read_run(arguments.run, arguments.max_latency_ms is not None, arguments.latency_file)
    config, device = known.setting.config, known.setting.device
    asked = _asked(known, arguments)
    began = time.monotonic()
    learner = Learner(
        problem=known.setting.problem,
        name=config.search.predictor,
        pretrain=config.search.pretrain,
        seed=config.seed,
        earlier=earlier_observations(config.folder, known.setting.space),
    )
    model = learner.learn(known.observed)
    fitted = time.monotonic()
    pairs = _evolved(known, model, asked, arguments)
    ended = time.monotonic()
    out = arguments.out or config.folder / "candidates.json"
    _write(out, entries(pairs, device))
    if device is not None:
        tell(device.describe())
    for line in table(pairs, config.name):
        tell(line)
    tell(
        f"{len(known.ended)} trials; {learner.describe} fitted in {fitted - began:.1f} s, "
        f"evolved in {ended - fitted:.1f} s; candidates: {out}"
    )


def _asked(known: Known, arguments: argparse.Namespace) -> tuple[Problem, Lift, tuple[Limits, ...]]:
    """The problem that is left with some dimensions fixed, the way back, and a budget for each pair."""
    problem, lift = narrow(known.setting.problem, parse_fixed(known.setting.space, arguments.fix))
    bounds = parse_bounds({cost: getattr(arguments, f"max_{cost}") for cost in COSTS}, problem)
    if arguments.objective == "pareto":
        return problem, lift, budgets_along(bounds, POINTS if arguments.points is None else arguments.points, problem)
    return problem, lift, budgets_of(bounds, problem)


def _evolved(
    known: Known, model: Predictor, asked: tuple[Problem, Lift, tuple[Limits, ...]], arguments: argparse.Namespace
) -> tuple[Pair, ...]:
    """The pairs that the arguments ask for."""
    confidence = known.setting.config.family.confidence if arguments.confidence is None else arguments.confidence
    problem, lift, budgets = asked
    picks = evolve(
        problem,
        model,
        budgets=budgets,
        start_ND=lift.lower(known.observed.best(STARTS)),
        rng=np.random.default_rng(arguments.seed),
        confidence=confidence,
        per_budget=arguments.per_budget,
        lift=lift,
    )
    if arguments.objective == "pareto":
        picks = front(picks, confidence)
    return pairs_of(picks, lift(np.stack([pick.codes for pick in picks])), known)


def _write(path: Path, content: list[dict[str, Any]]) -> None:
    try:
        write_text(path, json.dumps(content, indent=2) + "\n")
    except OSError as error:
        raise UsageError(f"cannot write '{path}': {error.strerror or error}") from None

"""Find mistakes in a configuration and in what its run would need, without training."""

import argparse
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from search.setting.sections.search import words_of_score
from search.words import amount
from spaces.space import size_of

if TYPE_CHECKING:
    from search.setting.setting import Setting


EXAMPLE = "check configs/digits.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``check``."""
    parser.add_argument("config", type=Path, help="YAML file, such as configs/digits.yaml")
    parser.add_argument("--quick", action="store_true", help="measure no latency and look at no pixels")


def run(arguments: argparse.Namespace) -> None:
    """Load data, space and teachers, open the places of a run, and say what the run would do.

    Raises:
        Mistake: something cannot be used.
    """
    from rich.console import Console

    from search.rehearsal.data_page import data_page
    from search.rehearsal.extended import of_extended
    from search.rehearsal.knobs import check_knobs
    from search.rehearsal.machine import of_machine
    from search.rehearsal.needs import check_secrets, reach, rehearse
    from search.setting.beginning import beginning_of, describe
    from search.setting.checks.sections import check_soup
    from search.setting.config import read
    from search.setting.prior import prior_of
    from search.setting.setting import prepare

    console = Console(highlight=False, soft_wrap=True, markup=False)  # names of files may have brackets
    config = read(arguments.config)
    check_secrets(config)
    setting = prepare(config, measure=not arguments.quick)
    check_soup(setting.config.family, setting.space)
    if setting.config.space.extend or setting.space.pretraining:
        # It imports components, which takes seconds: only where combinations are the user's or many; a run always does.
        check_knobs(setting.space)
    begun = describe(setting, beginning_of(setting))
    prior = prior_of(setting.config, setting.space).describe()
    pages = data_page(setting.splits, pixels=not arguments.quick), of_machine(setting)
    for line in chain(
        plan(setting), begun, prior, *pages, rehearse(setting), of_extended(setting), reach(setting.config)
    ):
        console.print(line)
    if config.limits.max_latency_ms is not None and setting.device is None:
        console.print("limits.max_latency_ms: not looked at, since nothing is measured by --quick")
    console.print("no mistakes found")


def plan(setting: "Setting") -> Iterator[str]:
    """What the run would do."""
    config, splits, space = setting.config, setting.splits, setting.space
    yield (
        f"data: {config.data.source}, {len(splits.classes)} classes, {splits.channels} x {splits.resolution} x "
        f"{splits.resolution} pixels; {len(splits.train):,} images to train, {len(splits.validation):,} for "
        f"search-validation, {len(splits.test):,} to test"
    )
    yield f"space: {space.name}, {size_of(space)}"
    yield f"search: {config.search.trials} trials of at most {config.search.epochs} epochs, by {config.run.executor}"
    if config.search.weights:
        yield f"score: {words_of_score(config.search)}, on search-validation"
    budgets = ", ".join(amount(budget.max_macs or float("inf")) for budget in setting.problem.budgets)
    yield f"family: budgets of {budgets} macs, {config.family.epochs} epochs each"

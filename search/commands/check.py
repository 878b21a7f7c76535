"""Find mistakes in a configuration, its data and its limits, without training."""

import argparse
from pathlib import Path

from rich.console import Console

from search.setting.config import read
from search.setting.setting import prepare
from search.words import amount
from spaces import components


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``check``."""
    parser.add_argument("config", type=Path, help="YAML file, such as configs/digits.yaml")


def run(arguments: argparse.Namespace) -> None:
    """Load data and space, check names, limits and budgets, and say what the run would do."""
    config = read(arguments.config)
    setting = prepare(config)
    components.load(components.EXECUTORS, config.run.executor).Executor(setting.place)  # refuses what it cannot run
    splits, space = setting.splits, setting.space
    budgets = ", ".join(amount(budget.max_macs or float("inf")) for budget in setting.problem.budgets)
    lines = (
        f"data: {config.data.source}, {len(splits.classes)} classes, {splits.channels} x {splits.resolution} x "
        f"{splits.resolution} pixels; {len(splits.train):,} images to train, {len(splits.validation):,} for "
        f"search-validation, {len(splits.test):,} to test",
        f"space: {space.name}, {space.count('architecture'):.3g} architectures x {space.count('recipe'):.3g} recipes",
        f"stage 1: {config.search.trials} trials of at most {config.search.epochs} epochs",
        f"family: budgets of {budgets} macs, {config.family.epochs} epochs each",
        "no mistakes found",
    )
    for line in lines:
        Console().print(line, highlight=False, soft_wrap=True)

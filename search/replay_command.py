"""``python -m search replay``: which sampler would have served best on recorded trials."""

import argparse

from search import replay
from search.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    replay.add_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Export a run as a table, or play samplers over tables; print where or what.

    Raises:
        UsageError: arguments that do not fit together, or a table or run that cannot be read.
    """
    try:
        _carry_out(arguments)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _carry_out(arguments: argparse.Namespace) -> None:
    if arguments.export is not None:
        if arguments.tables or arguments.sampler:
            raise ValueError("--export writes a table; play it in a second command")
        path = arguments.out / f"{arguments.export.name}.json"
        replay.export(arguments.export, path)
        print(f"wrote {path} and {path.with_suffix('.parquet').name}")
        return
    replay.replay(
        arguments.tables,
        arguments.sampler,
        arguments.trials,
        arguments.seeds,
        arguments.budgets,
        arguments.out,
        processes=arguments.processes,
        batch=arguments.batch,
        modes=arguments.modes,
        source=arguments.source,
    )

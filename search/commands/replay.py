"""Play samplers over recorded trials, compare predictors on them, or export a run as such a table."""

import argparse
import os
from pathlib import Path

from search.errors import UsageError
from search.files import check_writable
from search.replay.predictors import SIZES
from search.replay.samplers import MODES
from search.samplers import by_name
from spaces.components import PREDICTORS, names

EXAMPLE = "replay table.json --sampler nars --sampler tpe --out replayed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_sampler_arguments(parser)
    parser.add_argument(
        "--predictors",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="predictors to fit to a few recorded rows and to test on the others; prints means over --seeds and writes "
        f"predictors.csv into --out. Without --sampler nothing is played. Known: {', '.join(names(PREDICTORS))}",
    )
    sizes = ", ".join(map(str, SIZES))
    parser.add_argument(
        "--sizes", nargs="+", type=int, metavar="N", help=f"numbers of rows that --predictors are fitted to ({sizes})"
    )


def run(arguments: argparse.Namespace) -> None:
    """Export a run as a table, compare predictors on tables, or play samplers over them; print where or what.

    Raises:
        UsageError: arguments that do not fit together.
        Mistake: a table or run that cannot be read.
    """
    from search.replay.run_table import export_run
    from search.replay.samplers import play_samplers

    if arguments.sizes is not None and not arguments.predictors:
        raise UsageError("--sizes belongs to --predictors: name predictors to fit, or leave --sizes out")
    _check_surrogate(arguments)
    check_writable(arguments.out)
    if arguments.export is not None:
        if arguments.tables or arguments.sampler or arguments.predictors:
            raise UsageError("--export writes a table; play it in a second command")
        path = arguments.out / f"{arguments.export.name}.json"
        export_run(arguments.export, path)
        print(f"wrote {path} and {path.with_suffix('.parquet').name}")
        return
    if arguments.predictors:
        _predictors(arguments)
        if not arguments.sampler:
            return
    if arguments.surrogate:
        _surrogates(arguments)
        return
    play_samplers(
        arguments.tables,
        arguments.sampler,
        arguments.trials,
        arguments.seeds,
        arguments.budgets,
        arguments.out,
        processes=arguments.processes,
        batch=arguments.batch,
        modes=MODES if arguments.modes is None else arguments.modes,
        earlier=arguments.source,
        spacing=arguments.spacing,
    )


def _check_surrogate(arguments: argparse.Namespace) -> None:
    """Whether what is said about surrogates fits the rest."""
    if arguments.surrogate_model is not None and not arguments.surrogate:
        raise UsageError("--surrogate-model belongs to --surrogate: add it, or leave the model out")
    if arguments.surrogate and (arguments.source is not None or arguments.export is not None):
        raise UsageError("--surrogate plays samplers that start from nothing: leave --source and --export out")
    if arguments.surrogate and arguments.modes not in (None, ["family"]):
        raise UsageError("--surrogate plays the mode 'family' alone: a table tells nothing beyond its costs")


def _surrogates(arguments: argparse.Namespace) -> None:
    from search.surrogate.model import PREDICTOR
    from search.surrogate.play import play_surrogates

    summary = play_surrogates(
        arguments.tables,
        arguments.sampler,
        range(arguments.seeds),
        trials=arguments.trials,
        budgets=arguments.budgets,
        spacing=arguments.spacing,
        batch=arguments.batch,
        out=arguments.out,
        processes=arguments.processes,
        predictor=arguments.surrogate_model or PREDICTOR,
    )
    regrets = summary[summary.measure == "family_regret"]
    print(regrets.to_string(index=False, float_format="{:.3f}".format))
    print(f"every measure is in {arguments.out / 'surrogate.csv'}")


def _predictors(arguments: argparse.Namespace) -> None:
    from search.replay.predictors import compare_files

    sizes = SIZES if arguments.sizes is None else arguments.sizes
    means = compare_files(arguments.tables, arguments.predictors, sizes, arguments.seeds, arguments.out)
    print(means.to_string())
    print(f"means over {arguments.seeds} seeds; each seed is in {arguments.out / 'predictors.csv'}")
    for table, played in means.groupby(level="table"):
        left_out = sorted(set(sizes) - set(played.index.get_level_values("trials")))
        if left_out:
            print(f"table '{table}' has too few rows to test after {', '.join(map(str, left_out))}: left out")


def add_sampler_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``python -m search replay``."""
    parser.add_argument("tables", nargs="*", type=Path, metavar="TABLE.json", help="recorded tables")
    parser.add_argument(
        "--sampler",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help=f"samplers to play: {', '.join(by_name.names())}",
    )
    parser.add_argument("--trials", type=int, default=220, help="trials per trace (default 220)")
    parser.add_argument("--seeds", type=int, default=10, help="traces per table and sampler (default 10)")
    parser.add_argument("--budgets", type=int, default=10, help="members of the family (default 10)")
    parser.add_argument(
        "--spacing",
        choices=("quantile", "log"),
        default="quantile",
        help="budgets at even quantiles of the cost (default), or even in its logarithm, as users choose them",
    )
    parser.add_argument("--batch", type=int, default=1, help="proposals asked for at a time (default 1)")
    parser.add_argument("--modes", nargs="+", choices=MODES, help=f"what is searched for ({', '.join(MODES)})")
    parser.add_argument(
        "--surrogate",
        action="store_true",
        help="play the whole space that a table of 'search record' was recorded on, on a model fitted to the table, "
        "with the noise of its trainings; prints the model's rank correlation on held-out rows",
    )
    parser.add_argument(
        "--surrogate-model", choices=names(PREDICTORS), help="the predictor that is fitted (default boosting)"
    )
    parser.add_argument(
        "--source",
        type=Path,
        help="a table with the same dimensions from whose trials samplers start that can use earlier ones",
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="traces played at a time")
    parser.add_argument("--out", type=Path, default=Path("replay"), help="folder of traces, plots and summary.csv")
    parser.add_argument("--export", type=Path, metavar="RUN", help="write the study of a run as a table into --out")

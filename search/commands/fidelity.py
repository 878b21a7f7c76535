"""Compare what stopping rules save on recorded learning curves, and what that costs."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from search.files import check_writable
from search.replay.rules import RULES

EXAMPLE = "fidelity curves/"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``fidelity``."""
    parser.add_argument(
        "folder", type=Path, help="LCBench's surrogate: model.onnx, config_space.json, encoding.json, tasks.json"
    )
    parser.add_argument("--rules", nargs="+", default=list(RULES), metavar="NAME", help=f"of {', '.join(RULES)}")
    parser.add_argument("--trials", type=int, default=200, help="trials of each task (default 200)")
    parser.add_argument("--seeds", type=int, default=10, help="draws and orders of trials of each task (default 10)")
    parser.add_argument("--bands", type=int, default=1, help="cost bands, each of which keeps its best (default 1)")
    parser.add_argument("--workers", type=int, default=1, help="trials that run side by side (default 1)")
    parser.add_argument("--tasks", type=int, help="only the first so many tasks")
    parser.add_argument("--out", type=Path, default=Path("fidelity"), help="folder of plays.csv and summary.csv")


def run(arguments: argparse.Namespace) -> None:
    """Play the rules, write every play and the means, and print the means.

    Raises:
        Mistake: a rule or folder that does not exist, or a count below 1.
    """
    from search.replay.curves import play_rules, regret_differences, summary

    check_writable(arguments.out)
    played = play_rules(
        arguments.folder,
        arguments.rules,
        trials=arguments.trials,
        seeds=arguments.seeds,
        bands=arguments.bands,
        workers=arguments.workers,
        tasks=arguments.tasks,
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    played.to_csv(arguments.out / "plays.csv", index=False)
    means = summary(played)
    means.to_csv(arguments.out / "summary.csv")
    measures = [name for name in means.columns if not name.endswith("_stderr")]
    table = Table("rule", *measures, title="mean (standard error over tasks)")
    for rule, row in means.iterrows():
        table.add_row(str(rule), *(f"{row[name]:.4f} ({row[f'{name}_stderr']:.4f})" for name in measures))
    console = Console(width=150)
    console.print(table)
    if "regret" in arguments.rules:
        for other, (difference, stderr) in regret_differences(played, "regret").items():
            console.print(f"regret of 'regret' minus '{other}', paired over tasks: {difference:+.4f} ({stderr:.4f})")
    console.print(f"wrote {arguments.out / 'plays.csv'} and summary.csv", highlight=False, soft_wrap=True)

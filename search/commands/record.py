"""Train candidates drawn evenly over a space's costs and keep their curves as a table for ``replay``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spaces import components
from spaces.mistake import Mistake

if TYPE_CHECKING:
    from search.executors.protocol import Executor


EXAMPLE = "record configs/digits.yaml --candidates 3000 --out tables/digits"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``record``."""
    parser.add_argument("config", type=Path, help="data, space, limits and epochs of the trainings, as for 'run'")
    parser.add_argument("--candidates", type=int, default=1000, help="how many are drawn (default 1000)")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each candidate (default 1)")
    parser.add_argument("--repeat", type=int, default=100, help="candidates trained three times more (default 100)")
    parser.add_argument("--most", type=int, help="trainings in this process, then stop; by default all that are left")
    parser.add_argument("--out", type=Path, help="folder of the rows and the table (default: the run's folder)")


def run(arguments: argparse.Namespace) -> None:
    """Train what the folder lacks, then write the table of what it holds.

    Raises:
        Mistake: counts that make no sense, or a folder with rows of another recording.
    """
    from search.replay.recording import Plan, Recording, even_in_log_cost, write_table
    from search.setting.config import read
    from search.setting.setting import prepare

    counts = {"candidates": arguments.candidates, "seeds": arguments.seeds}
    wrong = [f"--{name} is {count}" for name, count in counts.items() if count < 1]
    if wrong or arguments.repeat < 0 or (arguments.most is not None and arguments.most < 0):
        raise Mistake(f"counts are at least 1 (--repeat and --most at least 0); {' '.join(wrong)}".rstrip("; "))
    config = read(arguments.config)
    folder = arguments.out or config.folder
    setting = prepare(config.model_copy(update={"runs": str(folder.parent), "name": folder.name}))
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([config.seed, 5])
    plan = Plan(
        codes_ND=even_in_log_cost(setting.problem, arguments.candidates, rng),
        seed=config.seed,
        seeds=arguments.seeds,
        repeat=arguments.repeat,
    )
    epochs = config.search.epochs
    recording = Recording(
        folder, setting.space, plan, epochs=epochs, statistics=setting.statistics, say=print, most=arguments.most
    )
    print(f"{recording.total} trainings, {recording.done} of them done before")
    executor: Executor
    with components.load(components.EXECUTORS, config.run.executor).Executor(setting.place) as executor:
        executor.run(recording.next_job, lambda number, report: True, recording.ended)
    splits = setting.splits
    card = {
        "data": config.data.source,
        "images": {"train": len(splits.train), "search-validation": len(splits.validation)},
        "shape": {"classes": len(splits.classes), "channels": splits.channels},
        "epochs": epochs,
        "seed": config.seed,
    }
    path = write_table(folder, folder.name, setting.space, epochs, card)
    print(f"wrote {path} and {path.with_suffix('.parquet').name}")

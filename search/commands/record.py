"""Train candidates drawn evenly over a space's costs and keep their curves as a table for ``replay``."""

import argparse
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from search.files import alone, check_writable
from spaces import components
from spaces.mistake import Mistake

if TYPE_CHECKING:
    import pandas as pd

    from search.executors.protocol import Executor
    from search.learning.earlier import Earlier
    from search.setting.setting import Setting


EXAMPLE = "record configs/digits.yaml --candidates 3000 --out tables/digits"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``record``."""
    parser.add_argument("config", type=Path, help="data, space, limits and epochs of the trainings, as for 'run'")
    parser.add_argument("--candidates", type=int, default=1000, help="how many are drawn (default 1000)")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each candidate (default 1)")
    parser.add_argument("--repeat", type=int, default=100, help="candidates trained three times more (default 100)")
    parser.add_argument(
        "--searched",
        type=int,
        default=0,
        help="then as many that the configured search would train next, given all scores so far: what is drawn seldom "
        "comes near what a search ends with (default 0)",
    )
    parser.add_argument("--extend", type=Path, help="TABLE.json whose rows are known before, and are kept")
    parser.add_argument("--most", type=int, help="trainings in this process, then stop; by default all that are left")
    parser.add_argument("--out", type=Path, help="folder of the rows and the table (default: the run's folder)")


def run(arguments: argparse.Namespace) -> None:
    """Train what the folder lacks, then write the table of what it holds.

    Raises:
        Mistake: counts that make no sense, a folder of another recording or one that another process works on, or
            a table that cannot be extended.
    """
    from search.problem.problem import Observations
    from search.recorder.even import even_in_log_cost
    from search.recorder.recording import Onwards, Plan, Recording
    from search.recorder.table import write_table
    from search.samplers.by_name import build
    from search.samplers.protocol import Offer
    from search.setting.beginning import beginning_of
    from search.setting.config import read
    from search.setting.setting import prepare

    _check_counts(arguments)
    config = read(arguments.config)
    folder = config.folder if arguments.out is None else arguments.out.absolute()
    if folder.exists() and not folder.is_dir():
        raise Mistake(f"--out '{folder}' is a file; name a folder")
    check_writable(folder)
    setting = prepare(config.model_copy(update={"runs": str(folder.parent), "name": folder.name}))
    problem, epochs = setting.problem, config.search.epochs
    base = None if arguments.extend is None else _base(arguments.extend, setting)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([config.seed, 5])
    plan = Plan(
        codes_ND=even_in_log_cost(problem, arguments.candidates, rng),
        seed=config.seed,
        seeds=arguments.seeds,
        repeat=arguments.repeat,
    )
    card, frame = {**_told(setting), "seed": config.seed}, None
    known = Observations(codes_ND=plan.codes_ND[:0], score_N=np.zeros(0))
    if base is not None:
        description, frame, earlier = base
        card |= {**description, "extends": {"table": description["name"], "rows": len(frame)}}
        known = earlier.observations(problem.space)
    onwards = None
    if arguments.searched:
        offer = Offer(problem=problem, seed=config.seed, initial=1)
        first = [one.candidate for one in beginning_of(setting).first]
        onwards = Onwards(
            count=arguments.searched, first=first, sampler=build(config.search.sampler, offer), known=known
        )
    with alone(folder):
        recording = Recording(
            folder,
            setting.space,
            plan,
            epochs=epochs,
            statistics=setting.statistics,
            say=print,
            most=arguments.most,
            onwards=onwards,
            trained_on=_trained_on(setting),
        )
        beyond = f"; {recording.beyond} more than these are in the folder, and in its table" if recording.beyond else ""
        print(f"{recording.total} trainings, {recording.done} of them done before{beyond}")
        executor: Executor
        with components.load(components.EXECUTORS, config.run.executor).Executor(setting.place) as executor:
            executor.run(recording.next_job, lambda number, report: True, recording.ended)
        path = write_table(folder, folder.name, setting.space, epochs, card, frame)
    print(f"wrote {path} and {path.with_suffix('.parquet').name}")


def _check_counts(arguments: argparse.Namespace) -> None:
    """Counts that make sense.

    Raises:
        Mistake: some do not, or nothing is asked for.
    """
    least = {"candidates": 0 if arguments.searched else 1, "seeds": 1, "searched": 0, "repeat": 0, "most": 0}
    for name, fewest in least.items():
        count = getattr(arguments, name)
        if count is not None and count < fewest:
            raise Mistake(f"--{name} is {count}, and at least {fewest}")


def _base(path: Path, setting: "Setting") -> "tuple[dict[str, Any], pd.DataFrame, Earlier]":
    """Description and rows of a table, and what they tell a search.

    Raises:
        Mistake: the table cannot be read, or was recorded on another space, other images or another schedule.
    """
    from search.learning import recorded
    from search.learning.earlier import misfits, of_table

    description, frame = recorded.read(path)
    reason = misfits(path, setting.space)
    if reason:
        raise Mistake(f"--extend needs a table of space '{setting.space.name}', and '{path}' is not: {reason}")
    earlier = of_table(path, setting.space)
    for name, value in _told(setting).items():
        theirs = description.get(name, value)
        if isinstance(theirs, type(value)) and theirs != value:  # a shipped table describes its images in words
            raise Mistake(f"--extend needs a table of the same trainings: {name} of '{path}': {theirs}, here: {value}")
    return description, frame, earlier


def _trained_on(setting: "Setting") -> str:
    """Names images and schedule, wherever the images lie."""
    from search.setting.sections.data import PLACES

    keywords = {key: value for key, value in setting.config.data.keywords.items() if key not in PLACES}
    text = json.dumps([_told(setting), setting.space.name, keywords], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _told(setting: "Setting") -> dict[str, Any]:
    """What a table says of how its candidates were trained."""
    splits, config = setting.splits, setting.config
    return {
        "data": config.data.source,
        "images": {"train": len(splits.train), "search-validation": len(splits.validation)},
        "shape": {"classes": len(splits.classes), "channels": splits.channels},
        "epochs": config.search.epochs,
    }

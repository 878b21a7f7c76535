"""``python -m search run CONFIG``: a whole search, from images to a family."""

import argparse
import contextlib
import fcntl
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

import optuna
from rich.console import Console
from rich.table import Table

from search.config import Config, RaySection, parse, read
from search.errors import UsageError
from search.experiment import Experiment, save_config
from search.family import Family, load_family
from search.progress import Progress, amount
from search.setting import Setting, prepare
from search.study import Study, open_storage
from search.tracking import is_behind
from search.warm_start import check_unchanged, gather, keep, kept
from trainables.checkpoint import drop_all_but


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``run``."""
    parser.add_argument("config", type=Path, help="YAML file, such as configs/digits.yaml")
    parser.add_argument("--runs", help="folder of all runs, in place of the configuration's 'runs'")
    parser.add_argument(
        "--ray-address", help="a running Ray cluster to join ('auto' finds it), in place of 'ray.address'"
    )
    parser.add_argument("--verbose", action="store_true", help="let Ray write to the terminal, too")
    parser.add_argument(
        "--warm-start",
        type=lambda text: [Path(part) for part in text.split(",") if part],
        default=[],
        metavar="RUN,RUN",
        help="earlier runs on the same or an overlapping space (other data, other limits) to start from, by comma",
    )


def run(arguments: argparse.Namespace) -> None:
    """Start a search, or go on with it if the same configuration was started before.

    Raises:
        UsageError: the run's folder holds another configuration, or an earlier run cannot be used.
    """
    config = read(arguments.config)
    if arguments.runs is not None:
        config = config.model_copy(update={"runs": arguments.runs})
    if arguments.ray_address is not None:
        config = config.model_copy(update={"ray": RaySection(address=arguments.ray_address)})
    if (config.folder / "config.yaml").exists():
        if saved(config.folder) != config:
            raise UsageError(
                f"'{config.folder}' holds a run of another configuration; choose another 'name' in "
                f"'{arguments.config}', or remove the folder, or go on with: python -m search resume {config.folder}"
            )
        check_unchanged(config.folder, arguments.warm_start)
        if (config.folder / "family" / "family.json").exists():
            show_finished(config)
            return
    carry_out(config, warm_start=arguments.warm_start, verbose=arguments.verbose)


def saved(folder: Path) -> Config:
    """The configuration of a run.

    Raises:
        UsageError: the folder holds no run.
    """
    path = folder / "config.yaml"
    if not path.exists():
        raise UsageError(
            f"'{folder}' holds no run (it has no config.yaml); start one with: python -m search run CONFIG"
        )
    config = parse(path.read_text(encoding="utf-8"), str(path))
    # The folder may have been moved or copied: it is where it is, not where it was made.
    return config.model_copy(update={"runs": str(folder.parent), "name": folder.name})


def carry_out(
    config: Config,
    work: Callable[[Experiment], Family] = Experiment.carry_out,
    to: Path | None = None,
    warm_start: Sequence[Path] = (),
    verbose: bool = False,
) -> Family:
    """Do what is left of a run, or other ``work`` on it that writes a family ``to`` a folder, and show the family.

    A new run may start from earlier ones (``warm_start``); what it takes from them stays with it. If ``verbose``, Ray
    writes to the terminal.
    """
    _quiet(verbose)
    setting = replace(prepare(config), verbose=verbose)
    console = Console()
    if not (config.folder / "config.yaml").exists():
        earlier = [(run, saved(run)) for run in warm_start]
        keep(config.folder, gather(earlier, setting.space, config.search.sampler))
        save_config(config)
    for source in kept(config.folder):
        taken = f"{len(source.params)} different candidates of {source.trials} trials of {source.run}"
        console.print(f"warm start: {taken} fit this space", highlight=False, soft_wrap=True)
    began = time.monotonic()
    with _opened(setting, console, create=True) as experiment:
        family = work(experiment)
    show(family, config, to)
    console.print(f"{time.monotonic() - began:.0f} seconds in this process", highlight=False)
    return family


def show_finished(config: Config) -> None:
    """Print the family of a finished run, and give MLflow what an earlier process could not send any more."""
    show(load_family(config.folder / "family"), config)
    if config.tracking.enabled and is_behind(config.folder, config.tracking.uri):
        _quiet(verbose=False)
        with _opened(prepare(config), Console(), create=False) as experiment:
            experiment.catch_up()


def _quiet(verbose: bool) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    if verbose:  # Ray reads it when it is imported; a pattern here hides what it says of lost processes
        os.environ["RAY_DEDUP_LOGS_SKIP_REGEX"] = ""


@contextlib.contextmanager
def _opened(setting: Setting, console: Console, *, create: bool) -> Iterator[Experiment]:
    """The run's experiment, held by this process alone."""
    config = setting.config
    progress = Progress(setting.problem.budgets, console, log=config.folder / "search.log")
    with _alone(config.folder), _terminated_is_interrupted(), progress:
        storage = open_storage(config.folder, config.run.storage)
        study = Study(name=config.name, storage=storage, space=setting.space, create=create)
        running = {Path(setting.place.checkpoint(r.number).path).name for r in study.records() if not r.is_finished}
        drop_all_but(setting.place.checkpoint_folder, running)
        yield Experiment(setting, study, progress)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the run's lock, which the system takes back from a process that dies.

    Raises:
        UsageError: another process works on this run.
    """
    with (folder / ".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"another process works on '{folder}'; wait for it or stop it first") from None
        yield


@contextlib.contextmanager
def _terminated_is_interrupted() -> Iterator[None]:
    """A polite end (``ray job stop``, a batch system) closes everything as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        # Not by way of SIGINT, which a process started in the background by a shell without job control ignores.
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def show(family: Family, config: Config, to: Path | None = None) -> None:
    """Print the family and where everything is: in the run's folder, or where the family was written ``to``."""
    console = Console()
    table = Table("member", "macs", "params", "search accuracy", "test accuracy", title=f"family of {config.name}")
    for member in family.members:
        test = "" if member.test_accuracy is None else f"{member.test_accuracy:.4f}"
        table.add_row(member.name, amount(member.macs), amount(member.params), f"{member.search_accuracy:.4f}", test)
    console.print(table)
    folder = config.folder
    models, report = to or folder / "family", (to or folder) / "report.html"
    console.print(f"models: {models}\nreport: {report}", highlight=False, soft_wrap=True)
    if config.tracking.enabled:
        store = config.tracking.uri or f"sqlite:///{(folder / 'mlflow.db').resolve()}"
        console.print(f"browse: mlflow ui --backend-store-uri {store}", highlight=False, soft_wrap=True)

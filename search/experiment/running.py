"""Runs on disk: carried out by one process at a time, read by any."""

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import optuna
from rich.console import Console

from search.console.lines import say
from search.console.progress import Progress
from search.console.result import show
from search.errors import UsageError
from search.experiment.ending import logged, terminated_is_interrupted
from search.experiment.experiment import Experiment, save_config
from search.experiment.trials import Trials
from search.experiment.warm_start import gather, read_earlier, write_earlier
from search.family.members import Family, load_family
from search.files import alone
from search.identity.document import write_identity
from search.identity.folder import check_family, check_record, open_study, prepare_run, read_study, settled
from search.identity.identity import Identity
from search.identity.saved import resolved, saved
from search.problem.problem import Observations
from search.record.trial import Trial
from search.rehearsal.data_page import notices
from search.rehearsal.extended import of_extended
from search.rehearsal.knobs import check_knobs
from search.rehearsal.machine import of_machine
from search.rehearsal.needs import check_secrets, rehearse
from search.setting.beginning import beginning_of, describe
from search.setting.checks.sections import check_soup
from search.setting.config import Config
from search.setting.device import FILE, device_of, load_device
from search.setting.prior import prior_of
from search.setting.sections.tracking import TrackingSection
from search.setting.setting import Setting, prepare
from search.tracking.address import check_address
from search.tracking.tracker import is_behind
from search.words import WARNING, duration
from spaces.mistake import Mistake
from trainables.job import Report
from trainables.training.checkpoint import drop_all_but

LEAST_TRIALS = 4


class Silent:
    """A listener for a study that is only read."""

    def reported(self, trial: Trial, report: Report) -> None:
        """Nothing to do."""

    def ended(self, trial: Trial) -> None:
        """Nothing to do."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a run has recorded: its ended trials, and what a predictor may learn from each of them."""

    setting: Setting
    ended: tuple[Trial, ...]
    observed: Observations


def read_run(folder: Path, latency: bool = False, latency_file: Path | None = None) -> Known:
    """Read a run's study, also while it goes on.

    Args:
        folder: of the run.
        latency: whether predicted latency is among the costs even where the run had no limit on it.
        latency_file: a device other than the run's.

    Raises:
        NoStudy: the run has not begun.
        UsageError: the folder holds no run, the run has too few ended trials, or it limits the latency of one device
            and another is given.
    """
    config = saved(folder)
    setting = prepare_run(config)
    if latency_file is not None:
        if config.limits.max_latency_ms is not None:
            raise UsageError(
                f"'{folder}' limits the latency of the device in its own {FILE}; --latency-file needs a run without "
                "limits.max_latency_ms"
            )
        setting = setting.with_device(load_device(latency_file, setting.space, setting.splits))
    elif latency and setting.device is None:
        setting = setting.with_device(device_of(config.folder, setting.space, setting.splits, None))
    trials = Trials(setting, read_study(setting, encoded=True), Silent())
    ended = tuple(trial for _, trial in sorted(trials.by_number.items()) if trial.is_finished)
    if len(ended) < LEAST_TRIALS:
        raise UsageError(f"'{folder}' has {len(ended)} ended trials; evolve needs at least {LEAST_TRIALS}")
    return Known(setting=setting, ended=ended, observed=trials.observations(ended))


def carry_out(
    config: Config,
    work: Callable[[Experiment], Family] = Experiment.carry_out,
    to: Path | None = None,
    warm_start: Sequence[Path] = (),
    verbose: bool = False,
) -> Family:
    """Do what is left of a run, or other ``work`` on it that writes a family ``to`` a folder, and show the family.

    What later stages need is opened first, so that no training is done in vain.

    Args:
        config: of the run.
        work: what to do.
        to: folder of the family, if it is not the run's own.
        warm_start: earlier runs that a new run starts from; what it takes from them stays with it.
        verbose: whether Ray may write to the terminal.

    Raises:
        Mistake: something that the run needs cannot be used; nothing has been trained.
    """
    _quiet(verbose)
    begun = (config.folder / "config.yaml").exists()
    if not begun:
        check_secrets(config)
        config = resolved(config)
    setting, identity = settled(replace(prepare(config), verbose=verbose), begun=begun)
    if not begun:
        check_soup(config.family, setting.space)
        for sentence in of_machine(setting):
            if sentence.startswith(WARNING):
                say(sentence)
    check_knobs(setting.space)
    rehearse(setting, to)
    if not begun:  # else the run's trials have had these values
        list(of_extended(setting))
    for sentence in notices(setting.splits):
        say(f"data: {sentence}")
    tell_of_tracking(config.tracking)
    if not begun:
        earlier = [(run, saved(run)) for run in warm_start]
        past = gather(earlier, setting.space, config.search)
        prior = prior_of(config, setting.space, beside=past)
        if to is None:
            for line in chain(describe(setting, beginning_of(setting)), prior.left_out):
                say(line)
        write_earlier(config.folder, [*past, *prior.tables])
        write_identity(config.folder, identity)
        save_config(config)
    for source in read_earlier(config.folder):
        say(source.sentence)
    began = time.monotonic()
    with _opened(setting, identity) as experiment:
        family = work(experiment)
    show(family, config, to)
    say(f"\n{duration(time.monotonic() - began)} in this process")
    return family


def tell_of_tracking(tracking: TrackingSection) -> None:
    """A search goes on without its tracking server, but whoever has mistyped the address should know."""
    if not tracking.enabled or tracking.uri is None:
        return
    try:
        check_address(tracking.uri)
    except Mistake as mistake:
        say(f"{mistake}; the search goes on, and what the server misses is sent once it answers")


def show_finished(config: Config) -> None:
    """Print the family of a finished run; then make, and send to MLflow, what an earlier process did not come to."""
    family = load_family(config.folder / "family")
    check_family(config.folder, family)
    check_record(config.folder, config, family)
    show(family, config)
    is_whole = (config.folder / "report.html").exists()  # which is written last
    behind = config.tracking.enabled and is_behind(config.folder, config.tracking.uri)
    if is_whole and not behind:
        return
    _quiet(verbose=False)
    with _opened(*settled(prepare(config), begun=True)) as experiment:
        if not is_whole:
            experiment.complete()
        if behind:
            experiment.catch_up()


def _quiet(verbose: bool) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    if verbose:  # Ray reads it when it is imported; a pattern here hides what it says of lost processes
        os.environ["RAY_DEDUP_LOGS_SKIP_REGEX"] = ""


@contextlib.contextmanager
def _opened(setting: Setting, identity: Identity) -> Iterator[Experiment]:
    """The run's experiment, held by this process alone."""
    config = setting.config
    progress = Progress(setting.problem.budgets, Console(), log=config.folder / "search.log")
    with alone(config.folder), terminated_is_interrupted(), progress:
        study = open_study(setting, identity)
        if not identity.begun:
            write_identity(config.folder, replace(identity, begun=True))
        running = {Path(setting.place.checkpoint(t.number).path).name for t in study.trials() if not t.is_finished}
        drop_all_but(setting.place.checkpoint_folder, running)
        with contextlib.closing(Experiment(setting, study, progress)) as experiment, logged(progress):
            yield experiment

"""What ``python -m search ladder`` does."""

import argparse

import pandas as pd

from search.commands.ladder import SHARES
from search.console.lines import aligned, say, tell
from search.errors import UsageError
from search.family.members import Family, load_family
from search.files import alone
from search.identity.folder import family_folder, prepare_run
from search.identity.saved import saved
from search.ladder import along, rungs
from search.ladder.training import FOLDER
from search.ladder.words import IMAGES, checked, outlook, rows_of
from search.report.gather import write_report_of
from search.setting.setting import Setting
from spaces.candidate import Candidate

MOST_SEEDS, MOST_TIMES = 100, 1000


def ladder(arguments: argparse.Namespace) -> None:
    """Train what is missing of a ladder, and say what its laws say."""
    _check(arguments)
    candidate = _candidate(load_family(family_folder(arguments.run)), arguments.member)
    setting = prepare_run(saved(arguments.run))
    epochs = arguments.epochs or setting.config.family.epochs
    table, over, file = _trained(arguments, setting, candidate, epochs)
    with alone(setting.config.folder):
        page = write_report_of(setting)
    for line in ("", *aligned(rows_of(checked(table, over), over)), ""):
        say(line)
    tell(outlook(table, arguments.times, over))
    say(f"written: {setting.config.folder / FOLDER / file}, {page}")


def _check(arguments: argparse.Namespace) -> None:
    if not 2 <= arguments.seeds <= MOST_SEEDS:
        raise UsageError(f"--seeds counts trainings of each rung, 2 to {MOST_SEEDS}, given {arguments.seeds}")
    if not 1 < arguments.times <= MOST_TIMES:
        raise UsageError(
            f"--times is how many times the data or the cost, above 1 and up to {MOST_TIMES}, given {arguments.times}"
        )
    if arguments.epochs is not None and arguments.epochs < 1:
        raise UsageError(f"--epochs counts epochs, from 1 on, given {arguments.epochs}")
    if arguments.along is not None and arguments.shares is not None:
        raise UsageError(
            "a ladder is along an address or on --shares of the data; leave one of --along and --shares out"
        )
    if arguments.along is None and (arguments.values is not None or arguments.over is not None):
        raise UsageError("--values and --over are of a ladder along an address; name it by --along")
    if arguments.along is None:
        rungs.shares_of(arguments.shares or SHARES)


def _trained(
    arguments: argparse.Namespace, setting: Setting, candidate: Candidate, epochs: int
) -> tuple[pd.DataFrame, str, str]:
    """The trainings, the column that laws are over, and the file that keeps them."""
    if arguments.along is None:
        shares = rungs.shares_of(arguments.shares or SHARES)
        of_shares = rungs.Ladder(candidate=candidate, shares=shares, seeds=arguments.seeds, epochs=epochs)
        with alone(setting.config.folder):
            return rungs.measure(setting, of_shares, say), IMAGES, rungs.FILE
    over = arguments.over or along.COSTS[0]
    of_address = along.along_of(
        setting, candidate, arguments.along, arguments.values, over=over, seeds=arguments.seeds, epochs=epochs
    )
    with alone(setting.config.folder):
        return along.measure_along(setting, of_address, say), over, along.FILE


def _candidate(family: Family, name: str | None) -> Candidate:
    named = {member.name: member.candidate for member in family.members}
    if not named:
        raise UsageError("the family has no member; finish the run first")
    if name is not None and name not in named:
        raise UsageError(f"there is no member '{name}'; the family has {', '.join(named)}")
    return named[name or list(named)[-1]]

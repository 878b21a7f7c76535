"""What ``python -m search ladder`` does."""

import argparse

from search.console.lines import aligned, say, tell
from search.errors import UsageError
from search.experiment.running import alone
from search.family.members import Family, load_family
from search.identity.folder import family_folder, prepare_run
from search.identity.saved import saved
from search.ladder.rungs import FILE, FOLDER, Ladder, measure, shares_of
from search.ladder.words import checked, outlook, rows_of
from search.report.gather import write_report_of
from spaces.candidate import Candidate

MOST_SEEDS, MOST_TIMES = 100, 1000


def ladder(arguments: argparse.Namespace) -> None:
    """Train what is missing of a ladder, and say what its laws say."""
    if not 2 <= arguments.seeds <= MOST_SEEDS:
        raise UsageError(f"--seeds counts trainings of each share, 2 to {MOST_SEEDS}, given {arguments.seeds}")
    if not 1 < arguments.times <= MOST_TIMES:
        raise UsageError(f"--times is how many times the data, above 1 and up to {MOST_TIMES}, given {arguments.times}")
    if arguments.epochs is not None and arguments.epochs < 1:
        raise UsageError(f"--epochs counts epochs, from 1 on, given {arguments.epochs}")
    shares = shares_of(arguments.shares)
    candidate = _candidate(load_family(family_folder(arguments.run)), arguments.member)
    setting = prepare_run(saved(arguments.run))
    wanted = Ladder(
        candidate=candidate,
        shares=shares,
        seeds=arguments.seeds,
        epochs=arguments.epochs or setting.config.family.epochs,
    )
    with alone(setting.config.folder):
        table = measure(setting, wanted, say)
        page = write_report_of(setting)
    for line in ("", *aligned(rows_of(checked(table))), ""):
        say(line)
    tell(outlook(table, arguments.times))
    say(f"written: {setting.config.folder / FOLDER / FILE}, {page}")


def _candidate(family: Family, name: str | None) -> Candidate:
    named = {member.name: member.candidate for member in family.members}
    if not named:
        raise UsageError("the family has no member; finish the run first")
    if name is not None and name not in named:
        raise UsageError(f"there is no member '{name}'; the family has {', '.join(named)}")
    return named[name or list(named)[-1]]

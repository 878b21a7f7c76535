"""``python -m search train RUN --candidates FILE --to DIR``: final training of chosen candidates on a run's data."""

import argparse
from pathlib import Path

from search.config import ConfigError
from search.errors import UsageError
from search.files import read_json
from search.run_command import carry_out, saved
from search.setting import prepare
from spaces.candidate import Candidate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``train``."""
    parser.add_argument("run", type=Path, help="folder of the run whose data and settings are used")
    parser.add_argument("--candidates", type=Path, required=True, help="candidates.json of evolve, or a candidate.json")
    parser.add_argument("--to", type=Path, required=True, help="new folder for the family and its report")


def run(arguments: argparse.Namespace) -> None:
    """Train each candidate in full, the largest teaching the others; networks trained before are not trained again.

    Raises:
        UsageError: the file holds no candidates of the run's space, or the target exists.
    """
    config = saved(arguments.run)
    if arguments.to.exists():
        raise UsageError(f"'{arguments.to}' exists; give a new folder")
    candidates = read_candidates(arguments.candidates)
    try:
        prepare(config).space.encode(candidates)
    except ConfigError:
        raise
    except ValueError as error:
        raise UsageError(f"'{arguments.candidates}' does not fit the run's space: {error}") from error
    arguments.to.mkdir(parents=True)
    carry_out(config, lambda experiment: experiment.train(candidates, arguments.to), arguments.to)


def read_candidates(path: Path) -> list[Candidate]:
    """The different candidates of a file: one candidate, or a list of entries with a ``candidate`` each.

    Raises:
        UsageError: the file is missing, not JSON, or holds something else.
    """
    try:
        content = read_json(path)
        entries = content if isinstance(content, list) else [{"candidate": content}]
        found = [Candidate.from_dict(entry["candidate"]) for entry in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"'{path}' holds no candidates: {error}") from error
    if not found:
        raise UsageError(f"'{path}' holds no candidates")
    return list(dict.fromkeys(found))

"""What ``python -m search train`` does."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from search.errors import UsageError
from search.experiment.running import carry_out
from search.family.members import load_family
from search.family.retrain import read_training
from search.files import check_writable
from search.identity.saved import continued, saved
from search.problem.candidates import read_candidates, write_candidates
from search.setting.config import Config, read
from search.setting.sections.data import PLACES
from search.setting.sections.tracking import TrackingSection
from search.setting.setting import prepare
from spaces.candidate import Candidate
from spaces.mistake import Mistake

OF_MEMBER = "a member, whose folder does not say where its images are"


def train(arguments: argparse.Namespace) -> None:
    """Train each candidate in full; networks trained before are not trained again, and a stopped training goes on.

    Raises:
        UsageError: ``what`` is none of the three, a file holds no candidates of the space, or the target is in use.
    """
    what, to, seeds = arguments.what, arguments.to, arguments.seeds
    if seeds is not None and seeds < 1:
        raise UsageError(f"--seeds counts trainings and is at least 1, given {seeds}")
    if (what / "config.yaml").is_file():
        _refuse(arguments.config, "--config", "a candidate.json; a run has its own")
        _refuse(arguments.images, "--images", OF_MEMBER)
        _train_of_run(what, arguments.candidates, to, seeds)
        return
    _refuse(arguments.candidates, "--candidates", "a run's folder")
    if what.is_dir():
        _refuse(arguments.config, "--config", "a candidate.json; a member has its own")
        config, candidate = read_training(what, to, places(arguments.images))
        _train_alone(_with_seeds(config, seeds), [candidate], to, what)
        return
    if arguments.config is None:
        raise UsageError(
            f"'{what}' is no folder of a run or a member; a candidate's file needs its data and schedule: --config FILE"
        )
    _refuse(arguments.images, "--images", OF_MEMBER)
    config = read(arguments.config)
    changes = {"runs": str(to.parent), "name": to.name, "tracking": TrackingSection(enabled=False)}
    _train_alone(_with_seeds(config.model_copy(update=changes), seeds), read_candidates(what), to, what)


def places(texts: Sequence[str]) -> dict[str, str]:
    """Paths by key of section ``data``."""
    pairs = [text.partition("=")[::2] for text in texts]
    for text, (key, path) in zip(texts, pairs, strict=True):
        if key not in PLACES or not path:
            raise UsageError(f"--images is KEY=PATH with a key of {', '.join(PLACES)}; given '{text}'")
    return dict(pairs)


def _refuse(value: object, option: str, goes_with: str) -> None:
    if value:
        raise UsageError(f"{option} goes with {goes_with}")


def _with_seeds(config: Config, seeds: int | None) -> Config:
    if seeds is None:
        return config
    return config.model_copy(update={"family": config.family.model_copy(update={"seeds": seeds})})


def _train_of_run(folder: Path, path: Path | None, to: Path, seeds: int | None) -> None:
    config = _with_seeds(saved(folder), seeds)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"'{to}' exists; give a new folder")
    if path is not None:
        candidates = read_candidates(path)
    elif (config.folder / "family" / "family.json").is_file():
        candidates = [member.candidate for member in load_family(config.folder / "family").members]
    else:
        raise UsageError(f"'{folder}' has no family yet; finish it: python -m search resume {folder}, or --candidates")
    _check_fit(config, candidates, path or folder)
    check_writable(to)
    to.mkdir(parents=True, exist_ok=True)
    carry_out(config, lambda experiment: experiment.train(candidates, to), to)


def _train_alone(config: Config, candidates: Sequence[Candidate], to: Path, what: Path) -> None:
    """Train in a run's folder of its own, which a second call of the same finds and goes on with."""
    if (to / "config.yaml").is_file():
        config = continued(config, what)
        if read_candidates(to / "candidates.json") != list(candidates):
            raise UsageError(f"'{to}' trains other candidates; give a new folder")
    elif to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"'{to}' exists and holds something else; give a new folder")
    _check_fit(config, candidates, what)
    check_writable(to)
    to.mkdir(parents=True, exist_ok=True)
    write_candidates(candidates, to / "candidates.json")
    carry_out(config, lambda experiment: experiment.train(candidates, to / "family"), to / "family")


def _check_fit(config: Config, candidates: Sequence[Candidate], origin: Path) -> None:
    space = prepare(config).space
    try:
        space.encode(candidates)
    except Mistake as error:
        raise UsageError(f"'{origin}' does not fit the space '{config.space.name}': {error}") from error

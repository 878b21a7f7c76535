"""Earlier runs as the prior of a new one: their trials, translated to the new space by address and value.

What is taken from earlier runs, and from recorded tables, is written into the new run's folder before its first trial,
so that a resumed run proposes from the same past, whatever has become of the earlier folders.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from search.errors import UsageError
from search.files import write_text
from search.identity.document import DamagedRun
from search.identity.folder import study_in
from search.learning.earlier import FEWEST, Earlier, params_of
from search.problem.problem import Observations
from search.record.trial import Trial
from search.samplers.by_name import transferring
from search.setting.config import Config
from search.setting.sections.search import SearchSection
from spaces.candidate import Candidate
from spaces.dimensions import Value
from spaces.space import Space
from spaces.translation import addressed, translate

FILE = "warm_start.json"


def gather(runs: Sequence[tuple[Path, Config]], space: Space, search: SearchSection) -> list[Earlier]:
    """Read earlier runs, each a folder and its configuration, for a search of ``space``.

    Raises:
        UsageError: nothing was trained in a folder, fewer than two of its trials fit the space, they were judged by
            another score, or the sampler has no use for them.
    """
    sampler = search.sampler
    if runs and sampler not in transferring():
        able = " or ".join(f"'{name}'" for name in transferring())
        raise UsageError(f"--warm-start needs the sampler {able}; the configuration has search.sampler '{sampler}'")
    for run, config in runs:
        if config.search.weights != search.weights:
            raise UsageError(
                f"'{run}' judged its trials by search.score {config.search.score}, and this search is to judge by "
                f"{search.score}; start from a run of the same score, or without"
            )
    return [_earlier(run, config, space) for run, config in runs]


def write_earlier(folder: Path, earlier: Sequence[Earlier]) -> None:
    """Write what was gathered into a run's folder; nothing, and nothing left of a start that was cut off, for none."""
    if not earlier:
        (folder / FILE).unlink(missing_ok=True)
        return
    folder.mkdir(parents=True, exist_ok=True)
    content = [
        {
            "run": one.source,
            "kind": one.kind,
            "trials": one.trials,
            "params": [dict(params) for params in one.params],
            "scores": list(one.scores),
        }
        for one in earlier
    ]
    write_text(folder / FILE, json.dumps(content, indent=1))


def read_earlier(folder: Path) -> list[Earlier]:
    """What a run was started from; nothing if it was started without.

    Raises:
        DamagedRun: the file is not what the run wrote.
    """
    path = folder / FILE
    if not path.exists():
        return []
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, list):
            raise TypeError("it holds no list")
        return [
            Earlier(
                source=one["run"],
                trials=one["trials"],
                params=tuple(one["params"]),
                scores=tuple(one["scores"]),
                kind=one.get("kind", "run"),  # older runs knew no tables
            )
            for one in document
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedRun(
            f"'{path}', what the run was started from, was damaged or edited ({error!s:.100}); put it back from a copy"
        ) from error


def earlier_observations(folder: Path, space: Space) -> list[Observations]:
    """What each earlier run contributes to a run, as codes of its space; nothing if it was started without."""
    return [earlier.observations(space) for earlier in read_earlier(folder)]


def check_unchanged(folder: Path, runs: Sequence[Path]) -> None:
    """A run that goes on keeps the past that it was started from.

    Raises:
        UsageError: other earlier runs are given than those it was started from.
    """
    before = [earlier.source for earlier in read_earlier(folder) if earlier.kind == "run"]
    now = [str(run) for run in runs]
    if now and now != before:
        raise UsageError(
            f"'{folder}' was started {'from ' + ','.join(before) if before else 'without --warm-start'}, which stays "
            f"so; given --warm-start {','.join(now)}: leave it out to go on, or choose another 'name' for a new run"
        )


# reading -------------------------------------------------------------------------------------------------------------


def _earlier(run: Path, config: Config, space: Space) -> Earlier:
    scored = _scored(run, config)
    by_codes: dict[bytes, tuple[dict[str, Value], list[float]]] = {}
    for candidate, score in scored:
        values = addressed(space, candidate)
        codes_D = None if values is None else translate(space, values)
        if codes_D is not None:
            by_codes.setdefault(codes_D.tobytes(), (params_of(space, codes_D), []))[1].append(score)
    if len(by_codes) < FEWEST:
        raise UsageError(
            f"'{run}' has {len(scored)} trials with a score, and {len(by_codes)} different ones fit space "
            f"'{space.name}' as the configuration restricts it; a warm start needs at least {FEWEST}: leave it out"
        )
    return Earlier(
        source=str(run),
        trials=len(scored),
        params=tuple(params for params, _ in by_codes.values()),
        scores=tuple(float(np.mean(scores)) for _, scores in by_codes.values()),
    )


def _scored(run: Path, config: Config) -> list[tuple[Candidate, float]]:
    """Candidates of the first stage with the accuracy at the latest epoch that at least half of them reached.

    Those that stopped before count with their last accuracy: they were stopped because they were behind.
    """
    trials = [trial for trial in study_in(run, config).trials() if trial.purpose == "search" and _is_usable(trial)]
    epoch = int(np.median([len(trial.reports) for trial in trials])) if trials else 0
    return [(trial.candidate, float(trial.accuracy_at(epoch) or 0.0)) for trial in trials]


def _is_usable(trial: Trial) -> bool:
    return trial.is_finished and trial.score is not None and math.isfinite(trial.score)

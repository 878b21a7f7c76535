"""A driver without Ray whose trials are proposed at random, and what it spends."""

import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from search.experiment.rounds import Stage1
from search.experiment.trials import Trials
from search.problem.feasible import sample_within
from search.problem.problem import Observations
from search.record.storage import open_storage
from search.record.study import Study
from search.record.trial import Trial
from search.setting.config import parse
from search.setting.setting import Setting, prepare
from spaces.space import Codes
from trainables.job import Report

CONFIG = """
name: scale
data: {{source: digits}}
space: {{name: tiny, restrict: {{architecture.resolution: [8]}}}}
search: {{trials: {trials}, initial: 24, batch: 8, epochs: 2, prior: none}}
"""


class Anything:
    """Proposes at random: what is measured is all but the sampler, which has a benchmark of its own."""

    def __init__(self, setting: Setting) -> None:
        self._problem, self._rng = setting.problem, np.random.default_rng(0)

    def propose(self, observed: Observations, pending_ND: Codes, n: int) -> Codes:
        return sample_within(self._problem, n, self._rng)


class Listening:
    """Keeps what the driver has used after every thousandth trial."""

    def __init__(self) -> None:
        self.marks: list[tuple[int, float, float, int]] = []
        self.ended_trials = 0

    def reported(self, trial: Trial, report: Report) -> None:
        pass

    def ended(self, trial: Trial) -> None:
        self.ended_trials += 1
        if self.ended_trials % 1000 == 0 or self.ended_trials == 100:
            self.mark()

    def mark(self) -> None:
        kibibytes = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024
        self.marks.append((self.ended_trials, time.monotonic(), time.process_time(), kibibytes))

    def per_trial(self) -> list[float]:
        """Processor milliseconds of the driver for a trial, between the marks."""
        found = []
        for (n0, wall0, cpu0, _), (n1, wall1, cpu1, memory) in zip(self.marks, self.marks[1:], strict=False):
            made = n1 - n0
            found.append(1e3 * (cpu1 - cpu0) / made)
            print(
                f"  trials {n0} to {n1}: {found[-1]:.1f} CPU ms a trial, {1e3 * (wall1 - wall0) / made:.0f} ms in all, "
                f"{memory / 1024:.0f} MiB"
            )
        return found


def stage1(folder: Path, trials: int) -> tuple[Stage1, Trials, Listening]:
    setting = prepare(parse(CONFIG.format(trials=trials)).model_copy(update={"runs": str(folder)}))
    setting.config.folder.mkdir(parents=True)
    storage = open_storage(setting.config.folder, None)
    study = Study(name="scale", storage=storage, space=setting.space, create=True)
    listening = Listening()
    held = Trials(setting, study, listening)
    believe: Callable[[Observations, Codes], list[tuple[float, float]]] = lambda known, codes: [(0.5, 0.1)] * len(codes)  # noqa: E731
    return Stage1(held, Anything(setting), (), believe, lambda round_, observed: None), held, listening

"""From a configuration to what a search works with: data, space, problem, device, workplace."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from search.executors.work import Probe, Workplace
from search.problem.feasible import largest
from search.problem.problem import Problem
from search.problem.references import Fitting, fitting, of_space
from search.setting.config import Config, ConfigError
from search.setting.device import Device, device_of
from search.setting.problem import costs_of, problem_of
from search.setting.readers import check_family_objective, check_readers
from search.setting.weights import check_weights
from spaces import components
from spaces.candidate import Candidate
from spaces.mistake import Mistake
from spaces.space import Codes, Space
from trainables.counting.counts import Counts, Statistics
from trainables.counting.statistics import count
from trainables.data.sources import load_source
from trainables.splits import Splits
from trainables.training.trial import Task

PROBED = 3
"""Candidates whose memory is measured, the largest by what is known before training."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A configuration whose names have been looked up and whose limits have been checked.

    Attributes:
        config: what it was prepared from.
        splits: the data.
        problem: what is searched.
        device: whose latency is among the costs, if any.
        verbose: whether Ray may write to the terminal.
        study: name of the run's study, and of its folder of checkpoints that are kept elsewhere; that of the
            configuration where no run has been begun.
    """

    config: Config
    splits: Splits
    problem: Problem
    device: Device | None = None
    verbose: bool = False
    study: str = ""

    @property
    def space(self) -> Space:
        """What may be chosen."""
        return self.problem.space

    def statistics_of(self, candidate: Candidate) -> Statistics:
        """Exact costs of one member of the space."""
        return self.statistics(self.space.encode([candidate]))[0]

    @cached_property
    def references(self) -> tuple[Fitting, ...]:
        """What one would have written by hand for the budgets."""
        return fitting(self.problem, of_space(self.config.space.name))

    def with_device(self, device: Device) -> "Setting":
        """The same with the latency of a device among the costs."""
        costs = costs_of(self.space, self.splits, device)
        return replace(self, problem=replace(self.problem, costs=costs), device=device)

    @cached_property
    def place(self) -> Workplace:
        """What workers need to know."""
        run = self.config.run
        return run.workplace(
            self.config.folder,
            self.config.data,
            study=self.study or self.config.name,
            weights=self.config.sources,
            address=self.config.ray.address,
            probe=self._probe() if run.measures else None,
            verbose=self.verbose,
        )

    def _probe(self) -> Probe:
        """What to measure: the candidates that keep the most intermediate values, by activations and batch size."""
        run = self.config.run

        def stored_values(codes_ND: Codes) -> NDArray[np.float64]:
            batch = self.space.values(codes_ND, "recipe").get("batch.size", 1)
            return np.asarray(self._counts(codes_ND).activations_N * batch, dtype=float)

        candidates = self.space.decode(largest(self.problem, stored_values, PROBED))
        tasks = tuple(Task(candidate=candidate, epochs=self.config.search.epochs, seed=0) for candidate in candidates)
        return Probe(tasks=tasks, gpus=run.gpus == "auto", memory=run.memory == "auto")

    def statistics(self, codes_ND: Codes) -> list[Statistics]:
        """Exact costs of candidates."""
        counts = self._counts(codes_ND)
        return [counts[row] for row in range(len(codes_ND))]

    def _counts(self, codes_ND: Codes) -> Counts:
        return count(self.space, codes_ND, classes=len(self.splits.classes), channels=self.splits.channels)


def prepare(config: Config) -> Setting:
    """Load data and space, and check all that can be known from the configuration and the data alone.

    What a run needs beside them is opened by ``search.experiment.rehearsal``.

    Raises:
        ConfigError: a limit that no candidate meets, a restriction to values the space does not have, or an address
            of the space that nothing reads.
        WeightsError: a name of pretrained weights stands for none.
        DataError: the data cannot be used.
    """
    space = _space(config)
    check_readers(space)
    check_weights(space, config.sources)
    check_family_objective(config.family)
    splits = replace(load_source(config.data.source, config.data.keywords), weights=config.sources)
    limits = config.limits
    limited = limits.max_latency_ms is not None or limits.latency_file is not None
    device = device_of(config.folder, space, splits, limits.latency_file) if limited else None
    return Setting(config=config, splits=splits, problem=problem_of(config, space, splits, device), device=device)


def _space(config: Config) -> Space:
    space: Space = components.load(components.SPACES, config.space.name).space()
    if not config.space.restrict:
        return space
    try:
        return space.restrict(config.space.restrict)
    except Mistake as error:
        raise ConfigError(f"space.restrict: {error}") from error

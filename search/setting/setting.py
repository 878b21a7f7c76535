"""From a configuration to what a search works with: data, space, problem, device, workplace."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from search.problem.problem import Problem
from search.problem.references import Fitting, fitting, of_space
from search.setting.checks.batches import check_batches
from search.setting.checks.data import (
    check_captions,
    check_evaluations,
    check_fields,
    check_frames,
    check_mixes,
    check_names,
)
from search.setting.checks.readers import check_readers
from search.setting.checks.sections import check_executor, check_family_objective, check_packages, check_stages
from search.setting.config import Config, ConfigError
from search.setting.problem import costs_of, problem_of
from search.setting.text.sentences import LONGEST, clipped
from search.words import expanded
from spaces import components
from spaces.candidate import Candidate
from spaces.mistake import Mistake
from spaces.space import Codes, Space
from trainables.counting.counts import Counts, Statistics
from trainables.counting.statistics import count
from trainables.data.sources import load_source
from trainables.splits import Splits

if TYPE_CHECKING:  # what trains and measures is imported where something is trained or measured
    from search.executors.work import Workplace
    from search.setting.device import Device


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
    device: "Device | None" = None
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

    def with_device(self, device: "Device") -> "Setting":
        """The same with the latency of a device among the costs."""
        costs = costs_of(self.space, self.splits, device)
        return replace(self, problem=replace(self.problem, costs=costs), device=device)

    @property
    def checkpoints(self) -> str | None:
        """The run's own folder or URI below ``run.checkpoints``; None where they are in the run's folder."""
        above = self.config.run.checkpoints
        return None if above is None else f"{expanded(above).rstrip('/')}/{self.study or self.config.name}"

    @cached_property
    def place(self) -> "Workplace":
        """What workers need to know."""
        from search.setting.place import workplace_of

        return workplace_of(self)

    def statistics(self, codes_ND: Codes) -> list[Statistics]:
        """Exact costs of candidates."""
        counts = self.counts(codes_ND)
        return [counts[row] for row in range(len(codes_ND))]

    def counts(self, codes_ND: Codes) -> Counts:
        """Exact costs of candidates, as arrays."""
        return count(self.space, codes_ND, classes=len(self.splits.classes), channels=self.splits.channels)


def prepare(config: Config, *, measure: bool = True) -> Setting:
    """Load data and space, and check all that can be known from the configuration and the data alone.

    What a run needs beside them is opened by ``search.rehearsal.needs``.

    Args:
        config: to prepare.
        measure: whether this machine's latency may be measured, if it is limited and no file has it; it is no limit
            else.

    Raises:
        ConfigError: a limit that no candidate meets, a restriction to values the space does not have, or an address
            of the space that nothing reads.
        WeightsError: a name of pretrained weights stands for none.
        DataError: the data cannot be used.
    """
    check_executor(config)
    space = _space(config)
    check_readers(space, config.data.pools)
    check_stages(space, config)
    check_packages(space)
    if config.sources or needs_other_networks(space):
        from search.setting.weights import check_weights

        check_weights(space, config.sources)
    check_family_objective(config.family)
    splits = replace(load_source(config.data.source, config.data.located), weights=config.sources)
    check_frames(space, splits)
    check_fields(space, splits)
    check_batches(space, splits)
    check_names(space, splits)
    check_captions(space, splits)
    check_mixes(space, splits)
    check_evaluations(config, space, splits)
    limits = config.limits
    if limits.latency_file is None and not measure:
        limits = limits.model_copy(update={"max_latency_ms": None})
        config = config.model_copy(update={"limits": limits})
    device = None
    if limits.max_latency_ms is not None or limits.latency_file is not None:
        from search.setting.device import device_of

        device = device_of(config.folder, space, splits, limits.latency_file)
    return Setting(config=config, splits=splits, problem=problem_of(config, space, splits, device), device=device)


def needs_other_networks(space: Space) -> bool:
    """Whether candidates of a space may begin with pretrained weights, or have a teacher from elsewhere."""
    weights = any("weights" in address.split(".") for address in space.architecture)
    return weights or any("teacher" in address.split(".") for address in (*space.pretraining, *space.recipe))


def _space(config: Config) -> Space:
    space: Space = components.load(components.SPACES, config.space.name).space()
    for key, change, values in (
        ("extend", Space.extend, config.space.extend),
        ("restrict", Space.restrict, config.space.restrict),
    ):
        try:
            space = change(space, values) if values else space
        except Mistake as error:
            raise ConfigError(clipped(f"space.{key}: {error}", LONGEST)) from error
    return space

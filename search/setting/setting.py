"""From a configuration to what the search works with: data, space, exact costs, limits and budgets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.executors.work import Probe, Workplace
from search.problem.feasible import largest, smallest
from search.problem.limits import Costs, Limits
from search.problem.problem import Problem
from search.setting.config import Config, ConfigError
from search.setting.device import Device, device_of
from search.setting.readers import check_family_objective, check_readers
from spaces import components
from spaces.mistake import Mistake
from spaces.sampling import sobol
from spaces.space import Codes, Space
from trainables.counting.statistics import Statistics, count, free_statistics
from trainables.data.sources import load_source
from trainables.splits import Splits
from trainables.training.trial import Task

PROBED = 3
"""Candidates whose memory is measured, the largest by what is known before training."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A configuration whose names have been looked up and whose limits have been checked."""

    config: Config
    space: Space
    splits: Splits
    problem: Problem
    device: Device | None = None
    verbose: bool = False

    def with_device(self, device: Device) -> "Setting":
        """The same with the latency of a device among the costs."""
        costs = _costs(self.space, self.splits, device)
        return replace(self, problem=replace(self.problem, costs=costs), device=device)

    @cached_property
    def place(self) -> Workplace:
        """What workers need to know."""
        run = self.config.run
        return Workplace(
            source=self.config.data.source,
            keywords=self.config.data.keywords,
            folder=self.config.folder.resolve(),
            concurrent=run.concurrent,
            workers=run.workers,
            workers_per_trial=run.workers_per_trial,
            cpus=run.cpus,
            gpus=1 if run.gpus == "auto" else run.gpus,
            memory=0 if run.memory == "auto" else int(run.memory),
            probe=self._probe(),
            retries=run.retries,
            address=self.config.ray.address,
            checkpoints=None if run.checkpoints is None else f"{run.checkpoints.rstrip('/')}/{self.config.name}",
            checkpoint_quota=None if run.checkpoint_quota is None else int(run.checkpoint_quota),
            verbose=self.verbose,
        )

    def _probe(self) -> Probe | None:
        """What to measure: the candidates that keep the most intermediate values, by activations and batch size."""
        run = self.config.run
        if "auto" not in (run.gpus, run.memory):
            return None

        def kept(codes_ND: Codes) -> NDArray[np.float64]:
            counts = count(self.space, codes_ND, classes=len(self.splits.classes), channels=self.splits.channels)
            batch = self.space.values(codes_ND, "recipe").get("batch.size", 1)
            return np.asarray(counts.activations_N * batch, dtype=float)

        found = self.space.decode(largest(self.problem, kept, PROBED))
        tasks = tuple(Task(candidate=candidate, epochs=self.config.search.epochs, seed=0) for candidate in found)
        return Probe(tasks=tasks, gpus=run.gpus == "auto", memory=run.memory == "auto")

    def statistics(self, codes_ND: Codes) -> list[Statistics]:
        """Exact costs of candidates."""
        counts = count(self.space, codes_ND, classes=len(self.splits.classes), channels=self.splits.channels)
        return [counts[row] for row in range(len(codes_ND))]


def prepare(config: Config) -> Setting:
    """Load data and space and check everything that can be checked without training.

    Raises:
        ConfigError: a limit that no candidate meets, a restriction to values the space does not have, or an address
            of the space that nothing reads.
        DataError: the data cannot be used.
    """
    space: Space = components.load(components.SPACES, config.space.name).space()
    try:
        if config.space.restrict:
            space = space.restrict(config.space.restrict)
    except Mistake as error:
        raise ConfigError(f"space.restrict: {error}") from error
    check_readers(space)
    check_family_objective(config.family)
    splits = load_source(config.data.source, config.data.keywords)
    shape = {"classes": len(splits.classes), "channels": splits.channels}

    def statistics(codes_ND: Codes) -> NDArray[np.float64]:
        return free_statistics(space, codes_ND, count(space, codes_ND, **shape))[0]

    asked = config.limits
    limited = asked.max_latency_ms is not None or asked.latency_file is not None
    device = device_of(config.folder, space, splits, asked.latency_file) if limited else None
    costs = _costs(space, splits, device)
    limits = Limits(**asked.model_dump(exclude={"latency_file"}))
    _check_limits(space, costs, limits)
    budgets = _budgets(config, space, costs, limits)
    some_ND = sobol(space, 1, 0)
    names = free_statistics(space, some_ND, count(space, some_ND, **shape))[1]
    logarithms = {name: names.index(f"log_{name}") for name in ("macs", "params", "activations")}
    problem = Problem(
        space=space, costs=costs, statistics=statistics, limits=limits, budgets=budgets, logarithms=logarithms
    )
    return Setting(config=config, space=space, splits=splits, problem=problem, device=device)


def _costs(space: Space, splits: Splits, device: Device | None) -> Callable[[Codes], Costs]:
    """Exact counts and, where a device is given, its predicted latency."""

    def costs(codes_ND: Codes) -> Costs:
        counts = count(space, codes_ND, classes=len(splits.classes), channels=splits.channels)
        latency = {} if device is None else {"latency_ms": device.model.predict(codes_ND, counts)}
        return {**counts.costs(), **latency}

    return costs


def _check_limits(space: Space, costs: Any, limits: Limits) -> None:
    for name, bound in limits.bounds().items():
        least = smallest(space, costs, name)
        if bound < least:
            raise ConfigError(
                f"limits.max_{name} is {bound:,.12g}, but the smallest {name} found in space '{space.name}' "
                f"with this data is {least:,.12g} (by descents, not proven); raise the limit or restrict the space "
                "differently"
            )


def _budgets(config: Config, space: Space, costs: Any, limits: Limits) -> tuple[Limits, ...]:
    """The limits of each member, tightest first."""
    wanted = config.family.max_macs
    least = smallest(space, costs, "macs")
    if isinstance(wanted, int):
        usual = np.quantile(costs(sobol(space, 1024, 0))["macs"], 0.9)
        most = min(limits.max_macs or np.inf, usual)
        bounds: Sequence[float] = np.geomspace(min(2 * least, most), most, wanted).round().tolist()
    else:
        bounds = sorted(wanted)
    if len(set(bounds)) < len(bounds):
        raise ConfigError(f"family.max_macs has a budget twice: {', '.join(f'{bound:,.0f}' for bound in bounds)}")
    too_small = [bound for bound in bounds if bound < least]
    if too_small:
        raise ConfigError(
            f"family.max_macs has {too_small[0]:,.0f}, but the smallest macs found in space '{space.name}' "
            f"with this data is {least:,.0f} (by descents, not proven)"
        )
    most_allowed = limits.max_macs or np.inf
    if bounds[-1] > most_allowed:
        raise ConfigError(f"family.max_macs has {bounds[-1]:,.0f}, above limits.max_macs ({most_allowed:,.0f})")
    return tuple(replace(limits, max_macs=float(bound)) for bound in bounds)

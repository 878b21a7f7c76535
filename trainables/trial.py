"""The one training loop: a generator of reports. It knows no backbone, objective or ingredient by name."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from spaces import components
from spaces.candidate import Candidate, keywords
from trainables.checkpoint import Checkpoint
from trainables.deploy import Deployable
from trainables.plan import Batch, Plan, compose
from trainables.splits import Images, Splits
from trainables.world import World

ORDER = 2**32 - 1
"""In place of a worker's number in the seed of the order of images, which all workers share."""


class TrialFailed(RuntimeError):
    """This candidate cannot be trained (a loss that is not finite, not enough memory); others can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The end of an epoch.

    Attributes:
        epoch: epochs trained so far, from 1.
        accuracy: share of the search-validation images classified correctly, in [0, 1].
        loss: mean training loss of the epoch.
        seconds: time since the trial began, over all its attempts.
    """

    epoch: int
    accuracy: float
    loss: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is trained and how long.

    Attributes:
        candidate: architecture and recipe.
        epochs: length of the schedule; whoever consumes the reports may stop before.
        seed: of initialisation, order of images, augmentation, dropout.
        objective: file name in ``trainables/objectives``; the candidate's own by default.
        knobs: keywords of the objective's ``loss``, e.g. a teacher.
    """

    candidate: Candidate
    epochs: int
    seed: int
    objective: str | None = None
    knobs: Mapping[str, Any] = field(default_factory=dict)


def build(candidate: Candidate, splits: Splits, extra: Mapping[str, Any] | None = None) -> Deployable:
    """The candidate's network for the data, with normalisation and resizing, freshly initialised.

    Args:
        candidate: whose backbone and architecture to build.
        splits: gives classes, channels, normalisation and, for backbones without one, the resolution.
        extra: further keywords of the backbone's ``build``, such as ``dropout``.
    """
    architecture = keywords(candidate.architecture)
    backbone = components.load(components.BACKBONES, candidate.backbone)
    network = backbone.build(classes=len(splits.classes), channels=splits.channels, **architecture, **(extra or {}))
    resolution = int(architecture.get("resolution", splits.resolution))
    return Deployable(network, mean=splits.mean, std=splits.std, resolution=resolution)


def trial(
    task: Task,
    splits: Splits,
    *,
    checkpoint: Checkpoint | None = None,
    world: World | None = None,
    device: torch.device | None = None,
) -> Iterator[Report]:
    """Train, and report after every epoch.

    With a checkpoint that exists, the reports of the epochs already trained come first, then training goes on exactly
    where it was: model, optimizer, schedule, average, order of the images and random numbers are those of an
    undisturbed run.

    Raises:
        TrialFailed: a loss that is not finite, or not enough memory.
        CheckpointError: a checkpoint cannot be written or read.
    """
    world, device = world or World(), device or torch.device("cpu")
    plan = _plan(task, splits, device)
    network = world.wrap(plan.built(), device)
    loss = _objective(task)
    states = {"network": plan.built(), **plan.states}
    reports, before = _restore(checkpoint, states)
    yield from reports
    started = time.monotonic()
    for epoch in range(len(reports) + 1, task.epochs + 1):
        mean_loss = _train_epoch(plan, network, loss, splits.train, task.seed, epoch, world, device)
        if not math.isfinite(mean_loss):
            raise TrialFailed(f"the training loss is {mean_loss} in epoch {epoch}; the learning rate may be too high")
        evaluated = plan.evaluated or plan.built()
        world.align(evaluated)
        right = accuracy(evaluated, splits.validation, world=world, device=device)
        seconds = before + time.monotonic() - started
        reports.append(Report(epoch=epoch, accuracy=right, loss=mean_loss, seconds=round(seconds, 3)))
        if checkpoint is not None and world.rank == 0:
            kept = {name: state.state_dict() for name, state in states.items()}
            checkpoint.save({"states": kept, "reports": [asdict(report) for report in reports]})
        world.barrier()
        yield reports[-1]


def trained(task: Task, splits: Splits, checkpoint: Checkpoint) -> Deployable:
    """The network that a finished checkpoint holds (the average, where the recipe keeps one), in evaluation mode.

    Raises:
        FileNotFoundError: there is no checkpoint.
    """
    plan = _plan(task, splits, torch.device("cpu"))
    if not _restore(checkpoint, {"network": plan.built(), **plan.states})[0]:
        raise FileNotFoundError(f"there is no checkpoint at '{checkpoint.path}'")
    network = plan.evaluated or plan.built()
    assert isinstance(network, Deployable)
    return network.eval()


def _plan(task: Task, splits: Splits, device: torch.device) -> Plan:
    def build_on_device(extra: Mapping[str, Any]) -> nn.Module:
        return build(task.candidate, splits, extra).to(device)

    plan = Plan(epochs=task.epochs, images=len(splits.train), classes=len(splits.classes))
    with torch.random.fork_rng():
        torch.manual_seed(_seed(task.seed, 0, 0))
        return compose(plan, task.candidate.recipe, build_on_device)


def _objective(task: Task) -> Callable[[nn.Module, Batch], Tensor]:
    module = components.load(components.OBJECTIVES, task.objective or task.candidate.objective)
    return partial(module.loss, **task.knobs)


def _restore(checkpoint: Checkpoint | None, states: Mapping[str, Any]) -> tuple[list[Report], float]:
    """Load the newest checkpoint into the states; its reports, and the seconds they took."""
    saved = checkpoint.load() if checkpoint is not None else None
    if saved is None:
        return [], 0.0
    for name, state in states.items():
        state.load_state_dict(saved["states"][name])
    reports = [Report(**report) for report in saved["reports"]]
    return reports, reports[-1].seconds


def _seed(seed: int, epoch: int, rank: int) -> int:
    """An independent seed for each epoch and worker, so that an epoch can be repeated alone."""
    return int(np.random.SeedSequence([seed, epoch, rank]).generate_state(1, np.uint64)[0] >> 1)


def _train_epoch(
    plan: Plan,
    network: nn.Module,
    loss: Callable[[nn.Module, Batch], Tensor],
    images: Images,
    seed: int,
    epoch: int,
    world: World,
    device: torch.device,
) -> float:
    """One pass over the training images; the mean loss over steps and workers."""
    order_N = np.random.default_rng(_seed(seed, epoch, ORDER)).permutation(len(images))
    generator = torch.Generator().manual_seed(_seed(seed, epoch, world.rank))
    optimizer = plan.optimized()
    total = torch.zeros((), device=device)
    network.train()
    try:
        with torch.random.fork_rng():  # dropout and stochastic depth draw from the global generator
            torch.manual_seed(_seed(seed, epoch, world.rank))
            for step in range(plan.steps_per_epoch):
                rows_B = order_N[step * plan.batch_size : (step + 1) * plan.batch_size][world.rank :: world.size]
                value = loss(network, _batch(plan, images, rows_B, generator, device))
                optimizer.zero_grad(set_to_none=True)
                value.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                for act in plan.after_step:
                    act()
                total += value.detach()
    except torch.OutOfMemoryError as error:
        raise TrialFailed(f"not enough memory on {device} for a batch of {plan.batch_size}: {error}") from error
    return float(world.total(total)) / (plan.steps_per_epoch * world.size)


def _batch(
    plan: Plan,
    images: Images,
    rows_B: NDArray[np.int64],
    generator: torch.Generator,
    device: torch.device,
) -> Batch:
    image_BCHW, label_B = images.batch(rows_B)
    batch = Batch(
        image_BCHW=image_BCHW.to(device, non_blocking=True),
        target_BK=F.one_hot(label_B, plan.classes).float().to(device, non_blocking=True),
    )
    for transform in plan.transforms:
        batch = transform(batch, generator)
    return batch


@torch.inference_mode()
def scores(network: nn.Module, images: Images, *, device: torch.device | None = None, size: int = 256) -> Tensor:
    """Class scores of all images, shape (N, K), on the CPU. Leaves the network in evaluation mode."""
    device = device or torch.device("cpu")
    network.eval()
    rows_N = np.arange(len(images))
    batches = (images.batch(rows_N[start : start + size])[0] for start in range(0, len(images), size))
    return torch.cat([network(batch.to(device)).cpu() for batch in batches])


def accuracy(network: nn.Module, images: Images, *, world: World, device: torch.device) -> float:
    """Share of the images classified correctly, each worker taking its part of them."""
    part = images.take(np.arange(len(images))[world.rank :: world.size])
    right = (scores(network, part, device=device).argmax(1) == torch.from_numpy(part.label_N)).sum()
    return float(world.total(right.to(device))) / len(images)

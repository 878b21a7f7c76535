"""One epoch of training: the only place where gradients are made."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from spaces.mistake import Mistake
from trainables.batches.fields import PLACED, ROW, selected
from trainables.batches.order import order_of
from trainables.batches.places import check_kept, everywhere
from trainables.plan import Batch, Plan
from trainables.stages.precision import Precision, mixed
from trainables.training.loading import Loader, Part
from trainables.training.world import World

ORDER = 2**32 - 1
"""In place of a worker's number in the seed of the order of images, which all workers share."""


class TrialFailed(Mistake):
    """This candidate cannot be trained (a loss that is not finite, not enough memory); others can."""


def seed_of(seed: int, epoch: int, rank: int) -> int:
    """An independent seed for each epoch and worker, so that an epoch can be repeated alone."""
    return int(np.random.SeedSequence([seed, epoch, rank]).generate_state(1, np.uint64)[0] >> 1)


def train_epoch(
    plan: Plan,
    objective: nn.Module,
    images: Loader,
    *,
    labels: bool,
    needs: Sequence[str] = (),
    seed: int,
    epoch: int,
    number: int,
    world: World,
    device: torch.device,
    precision: Precision = "float32",
) -> float:
    """Train on ``plan.images`` images; the mean loss over steps and workers.

    Args:
        plan: optimizer, transforms and what follows a step.
        objective: the plan's objective, wrapped for the workers.
        images: reads the pictures, which are drawn from without replacement until all were seen.
        labels: whether the objective reads targets, which else are zero.
        needs: fields of the pictures that it reads, beside those of the plan's transforms.
        seed, epoch: of the order of the images, of the augmentation and of the network's own randomness.
        number: of the epoch in the plan's schedule, from 1.
        world, device: which worker this is, and where it trains.
        precision: of the forward passes.

    Raises:
        TrialFailed: not enough memory.
    """
    order = order_of(plan, images.pictures)
    rng = np.random.default_rng(seed_of(seed, epoch, ORDER))
    order_N = order.rows(images.pictures, plan.images, plan.batch_size, rng)
    needs = sorted({*needs, *plan.fields})
    fields = selected(images.pictures, needs)
    if plan.square is not None:
        check_kept(dict.fromkeys(needs), "recipe.photo_augment", "leave it out, and use recipe.augment")
    generator = torch.Generator().manual_seed(seed_of(seed, epoch, world.rank))
    optimizer = plan.optimized()
    total = torch.zeros((), device=device)
    objective.train()
    try:
        with torch.random.fork_rng(), world.together():  # dropout draws from the global generator
            torch.manual_seed(seed_of(seed, epoch, world.rank))
            parts, whole_S = _parts(plan, order_N, order.block, seed_of(seed, epoch, ORDER), world)
            for step, ((image_BCHW, target), whole) in enumerate(zip(images.epoch(parts), whole_S, strict=True)):
                batch = Batch(
                    image_BCHW=image_BCHW,
                    target_BK=_shares(target, plan.classes, labels),
                    progress=(number - 1 + step / plan.steps_per_epoch) / plan.epochs,
                    fields=_fields(fields, parts[step], needs, device),
                )
                batch = _transformed(plan, batch, generator)
                with mixed(precision, device):
                    loss = objective(batch, generator)
                if len(image_BCHW) * world.size != whole:  # the mean over workers is to be that over images
                    loss = loss * (len(image_BCHW) * world.size / whole)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                for prepare in plan.before_step:
                    prepare(optimizer)
                optimizer.step()
                for act in plan.after_step:
                    act()
                total += loss.detach()
    except torch.OutOfMemoryError as error:
        raise TrialFailed(f"not enough memory on {device} for a batch of {plan.batch_size}: {error}") from error
    return float(world.total(total)) / (plan.steps_per_epoch * world.size)


def _parts(plan: Plan, order_N: NDArray[np.int64], block: int, seed: int, world: World) -> tuple[list[Part], list[int]]:
    """This worker's images of every step, and how many a step has over all workers."""
    places = [
        np.arange(step * plan.batch_size, min((step + 1) * plan.batch_size, len(order_N)))
        for step in range(plan.steps_per_epoch)
    ]
    own = [place_B.reshape(-1, block)[world.rank :: world.size].ravel() for place_B in places]
    parts = [Part(seed=seed, row_B=order_N[place_B], place_B=place_B) for place_B in own]
    return parts, list(map(len, places))


def _fields(
    fields: Mapping[str, NDArray[Any]], part: Part, needs: Sequence[str], device: torch.device
) -> dict[str, Tensor]:
    """Rows of the fields of a part; of those that the trainer writes, that its images are not cut yet, and which."""
    own = {name: torch.from_numpy(value_N[part.row_B]).to(device) for name, value_N in fields.items()}
    if PLACED in needs:
        own[PLACED] = everywhere(len(part.row_B), device)
    if ROW in needs:
        own[ROW] = torch.from_numpy(part.row_B).to(device)
    return own


def _shares(target: Tensor, classes: int, labels: bool) -> Tensor:
    """Target probabilities (B, K), which are 0 where nobody reads them."""
    if not labels:
        return torch.zeros(len(target), classes, device=target.device)
    return target if target.ndim == 2 else F.one_hot(target, classes).float()


def _transformed(plan: Plan, batch: Batch, generator: torch.Generator) -> Batch:
    for transform in plan.transforms:
        batch = transform(batch, generator)
    if batch.image_BCHW.ndim != 4:  # features of a body that rests
        return batch
    return replace(batch, image_BCHW=batch.image_BCHW.contiguous(memory_format=torch.channels_last))

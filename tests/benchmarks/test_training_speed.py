"""Images a second of a training step, beside a loop of timm's parts as its ``train.py`` puts them together.

The same network, images, batch size and optimizer, one thread; processor seconds of alternating epochs, so that both
see the same machine. The other loop steps parameters one by one, keeps channels first and averages by ``ModelEmaV3``.
"""

import time
from statistics import median

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from timm.optim import create_optimizer_v2
from timm.utils import ModelEmaV3
from torch import nn

from spaces import tiny
from spaces.sampling import uniform
from trainables.data.digits import load
from trainables.objectives import supervised
from trainables.plan import Plan
from trainables.recipe import ema, optimizer
from trainables.splits import Images, Splits
from trainables.training.building import build
from trainables.training.epoch import train_epoch
from trainables.training.loading import Loader
from trainables.training.world import World

pytestmark = pytest.mark.benchmark

CANDIDATES = 6
EPOCHS = 5
BATCH = 32
DECAY = 0.97
OPTIMIZERS = {"sgd": 0.05, "adamw": 3e-3, "rmsprop": 1e-3}


def ours(network: nn.Module, name: str, splits: Splits) -> tuple[Plan, nn.Module]:
    plan = Plan(epochs=EPOCHS, images=len(splits.train), classes=10, batch_size=BATCH, network=network)
    plan = optimizer.apply(plan, name=name, learning_rate=OPTIMIZERS)
    return ema.apply(plan, decay=DECAY), supervised.objective(network)


def test_a_step_beside_timms_parts() -> None:
    torch.set_num_threads(1)
    splits = load()
    space = tiny.space().restrict({"architecture.resolution": [16]})
    rng = np.random.default_rng(0)
    for name in OPTIMIZERS:
        ratios = []
        for candidate in space.decode(uniform(space, CANDIDATES, rng)):
            fast = build(candidate, splits).to(memory_format=torch.channels_last)
            plan, objective = ours(fast, name, splits)
            plain = build(candidate, splits)
            stepper = create_optimizer_v2(plain, opt=name, lr=OPTIMIZERS[name])
            average = ModelEmaV3(plain, decay=DECAY, use_warmup=True)
            pairs = []
            for epoch in range(EPOCHS):
                began = time.process_time()
                train_epoch(
                    plan,
                    objective,
                    Loader(splits.train),
                    labels=True,
                    seed=0,
                    epoch=epoch,
                    number=1 + epoch,
                    world=World(),
                    device=torch.device("cpu"),
                )
                between = time.process_time()
                timms_epoch(plain, stepper, average, splits.train, epoch)
                pairs.append((time.process_time() - between) / (between - began))
            ratios.append(median(pairs[1:]))
        print(
            f"{name}: images a second over those of timm's parts, {CANDIDATES} networks of {space.name} at 16 px, "
            f"batch {BATCH}, one thread: median {median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}"
        )
        assert median(ratios) > 1


def timms_epoch(
    network: nn.Module, stepper: torch.optim.Optimizer, average: ModelEmaV3, images: Images, epoch: int
) -> None:
    order_N = np.random.default_rng(epoch).permutation(len(images))
    network.train()
    for step in range(len(order_N) // BATCH):
        image_BCHW, class_B = images.batch(order_N[step * BATCH : (step + 1) * BATCH])
        loss = F.cross_entropy(network(image_BCHW), class_B)
        stepper.zero_grad()
        loss.backward()
        stepper.step()
        average.update(network, step=step + 1)

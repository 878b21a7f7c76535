"""What a GPU does with the trainer, as ratios measured in turn: ``make bench-gpu``, some minutes.

A training epoch beside a loop of timm's parts; bfloat16 beside float32; two processes on one GPU beside one.
``--device cpu --images 64 --side 32 --network resnet10t`` tries the script itself where there is none.
"""

import argparse
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import timm
import torch
import torch.nn.functional as F
from timm.optim import create_optimizer_v2
from torch import nn

from trainables.objectives import supervised
from trainables.plan import Plan
from trainables.recipe import optimizer
from trainables.splits import Images
from trainables.stages.precision import Precision
from trainables.training.epoch import train_epoch
from trainables.training.loading import Loader
from trainables.training.world import World

CLASSES = 10
RATE = 3e-3


def images_of(count: int, side: int) -> Images:
    """Noise: what is in a picture changes no time."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, 3, side, side), dtype=np.uint8)
    return Images(image_NCHW=pixels, label_N=rng.integers(0, CLASSES, count))


def our_epoch(name: str, images: Images, batch: int, device: torch.device, precision: Precision) -> Callable[[], None]:
    """An epoch of the trainer, ready to run."""
    network = timm.create_model(name, num_classes=CLASSES).to(device, memory_format=torch.channels_last)
    plan = Plan(epochs=1, images=len(images), classes=CLASSES, batch_size=batch, network=network)
    plan, objective = optimizer.apply(plan, name="adamw", learning_rate={"adamw": RATE}), supervised.objective(network)
    loader = Loader(images, device=device)

    def run() -> None:
        train_epoch(
            plan,
            objective,
            loader,
            labels=True,
            seed=0,
            epoch=0,
            number=1,
            world=World(),
            device=device,
            precision=precision,
        )
        _wait(device)

    return run


def timms_epoch(name: str, images: Images, batch: int, device: torch.device) -> Callable[[], None]:
    """The same by timm's parts, as its ``train.py`` puts them together with ``--channels-last``."""
    network: nn.Module = timm.create_model(name, num_classes=CLASSES).to(device, memory_format=torch.channels_last)
    stepper = create_optimizer_v2(network, opt="adamw", lr=RATE)

    def run() -> None:
        network.train()
        order_N = np.random.default_rng(0).permutation(len(images))
        for step in range(len(order_N) // batch):
            image_BCHW, class_B = images.batch(order_N[step * batch : (step + 1) * batch])
            image_BCHW = image_BCHW.to(device, non_blocking=True).contiguous(memory_format=torch.channels_last)
            loss = F.cross_entropy(network(image_BCHW), class_B.to(device, non_blocking=True))
            stepper.zero_grad()
            loss.backward()
            stepper.step()
        _wait(device)

    return run


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(run: Callable[[], None]) -> float:
    """What one call takes."""
    began = time.monotonic()
    run()
    return time.monotonic() - began


def in_turn(one: Callable[[], None], other: Callable[[], None], repeats: int) -> list[float]:
    """How many times as fast the first is, by pairs; both run once before."""
    one(), other()
    return [seconds(other) / seconds(one) for _ in range(repeats)]


def show(title: str, ratios: list[float]) -> None:
    """One line."""
    print(f"{title}: median {median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}", flush=True)


def _worker(rank: int, arguments: argparse.Namespace, barrier: Any) -> None:
    device = torch.device(arguments.device)
    run = our_epoch(arguments.network, images_of(arguments.images, arguments.side), arguments.batch, device, "float32")
    run()
    barrier.wait()
    for _ in range(arguments.repeats):
        run()
    barrier.wait()


def throughput(workers: int, arguments: argparse.Namespace) -> float:
    """Images a second of processes that train at the same time on one device."""
    context = torch.multiprocessing.get_context("spawn")
    barrier = context.Barrier(workers + 1)
    processes = [context.Process(target=_worker, args=(rank, arguments, barrier)) for rank in range(workers)]
    for process in processes:
        process.start()
    barrier.wait()
    began = time.monotonic()
    barrier.wait()
    taken = time.monotonic() - began
    for process in processes:
        process.join()
    return workers * arguments.repeats * arguments.images / taken


def main() -> None:
    """Print the three ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        sys.exit("there is no GPU that torch can use; --device cpu tries the script itself")
    device, name, batch = torch.device(arguments.device), arguments.network, arguments.batch
    images = images_of(arguments.images, arguments.side)
    what = f"{name}, {arguments.side} px, batch {batch}, {arguments.images} images, {arguments.repeats} pairs"
    model = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"{model}; torch {torch.__version__}, timm {timm.__version__}; {what}", flush=True)
    plain, half = (our_epoch(name, images, batch, device, precision) for precision in ("float32", "bfloat16"))
    theirs = timms_epoch(name, images, batch, device)
    show("images a second over those of timm's parts", in_turn(plain, theirs, arguments.repeats))
    show("bfloat16 over float32", in_turn(half, plain, arguments.repeats))
    alone, two = throughput(1, arguments), throughput(2, arguments)
    print(f"two processes on one device over one: {two / alone:.2f} ({two:.0f} and {alone:.0f} images a second)")


if __name__ == "__main__":
    main()

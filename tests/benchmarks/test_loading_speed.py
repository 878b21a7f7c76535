"""Images a second of the loader of photographs, beside timm's loader: same files, transforms, size and processes.

JPEGs of 500x375 pixels, augmented to 224 by random-resized crops, flips and RandAugment. ``as they are`` keeps them at
their own size, as timm's loader reads them; ``stored 256`` is what ``data.stored: 256`` keeps. Wall-clock seconds of
epochs that alternate, so that all see the same machine.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import torch
from PIL import Image
from timm.data import create_dataset, create_loader

from trainables.data import folder
from trainables.recipe.photo_augment import _Square
from trainables.training.loading import Loader, Part

pytestmark = pytest.mark.benchmark

IMAGES, CLASSES, BATCH, SIDE, EPOCHS = 800, 10, 64, 224, 5
RULE = "rand-m7-n2-mstd0.5-inc1"  # at 10, which 9 reaches by its noise, timm asks Pillow for no bits, which it refuses


def made(root: Path) -> Path:
    """Smooth pictures with noise, of the size that ImageNet's have on average."""
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        path = root / "train" / f"class_{number % CLASSES}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((500, 375), 3)
        noisy = np.asarray(coarse, np.int16) + rng.normal(0, 6, (375, 500, 3)).astype(np.int16)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=90)
    return root


def timms(root: Path, processes: int) -> Callable[[int], Iterator[object]]:
    loader = create_loader(
        create_dataset("", str(root), split="train"),
        input_size=(3, SIDE, SIDE),
        batch_size=BATCH,
        is_training=True,
        no_aug=False,
        color_jitter=None,
        auto_augment=RULE,
        interpolation="random",
        num_workers=processes,
        persistent_workers=True,
        use_prefetcher=True,  # bytes from process to process, as ours
        pin_memory=False,
        device=torch.device("cpu"),
    )
    return lambda epoch: iter(loader)


def ours(root: Path, cache: Path, stored: int, processes: int) -> tuple[Callable[[int], Iterator[object]], Loader]:
    splits = folder.load(path=str(root), resolution=SIDE, stored=stored, validation=0.1, test=0.1, cache=str(cache))
    square = _Square(0.92, 0.5, RULE, 0.0, (0.5, 0.5, 0.5))
    loader = Loader(splits.train, square=square, side=SIDE, processes=processes)

    def epoch(number: int) -> Iterator[object]:
        order_N = np.random.default_rng(number).permutation(len(splits.train))
        places = [np.arange(start, start + BATCH) for start in range(0, len(order_N) - BATCH + 1, BATCH)]
        return loader.epoch([Part(seed=number, row_B=order_N[place_B], place_B=place_B) for place_B in places])

    return epoch, loader


def images_a_second(batches: Iterator[object]) -> float:
    began = time.monotonic()
    steps = sum(1 for _ in batches)
    return steps * BATCH / (time.monotonic() - began)


@pytest.mark.parametrize("processes", [1, 2])
def test_beside_timms_loader(tmp_path: Path, processes: int) -> None:
    root = made(tmp_path / "photos")
    theirs = timms(root, processes)
    for name, stored in (("as they are", 375), ("stored 256", 256)):
        own, loader = ours(root, tmp_path / "cache", stored, processes)
        ratios, speeds = [], []
        for epoch in range(EPOCHS):
            speed, other = images_a_second(own(epoch)), images_a_second(theirs(epoch))
            speeds.append(speed)
            ratios.append(speed / other)
        loader.close()
        print(
            f"{processes} processes, {name}: {median(speeds[1:]):.0f} images a second, over timm's "
            f"{median(ratios[1:]):.2f} ({min(ratios[1:]):.2f} to {max(ratios[1:]):.2f}, n {EPOCHS - 1})"
        )

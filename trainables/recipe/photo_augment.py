"""Augmentation image by image as timm trains on photographs: random-resized crop, flip, RandAugment, colour, erasing.

The transforms are timm's own. All but erasing run where images are read, in processes beside the training.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from timm.data.auto_augment import RandAugment, rand_augment_transform
from timm.data.random_erasing import RandomErasing
from timm.data.transforms import RandomResizedCropAndInterpolation
from torchvision.transforms import ColorJitter, Compose, RandomHorizontalFlip

from trainables.batches.randomness import drawn_apart, seed_globals
from trainables.decoding import Decoding, square
from trainables.deploy import Deployable
from trainables.plan import Batch, Plan, Stage

PAPER = "https://arxiv.org/abs/2110.00476"
STAGE = Stage.BATCH
OFF: dict[str, float] = {}
TRIED = (
    {"erase": 0.25},
    {"crop": 0.92, "flip": 0.5},
    {"operations": 2, "magnitude": 9},
    {"jitter": 0.4},
)
PER_WORKER = "each worker erases in its own images"

RATIO = (3 / 4, 4 / 3)
"""Of width to height of a crop."""
TRANSLATION = 0.45
"""Of the side, the largest that RandAugment moves an image by."""


def apply(
    plan: Plan,
    *,
    crop: float = 0.0,
    flip: float = 0.0,
    operations: int = 0,
    magnitude: int = 9,
    magnitude_std: float = 0.5,
    jitter: float = 0.0,
    erase: float = 0.0,
) -> Plan:
    """Augment every training image as it is read.

    Args:
        plan: the plan so far.
        crop: largest share of the area that a random-resized crop cuts off, of the image as it is stored (ImageNet:
            0.92); 0 takes the middle square.
        flip: probability of a horizontal flip. Leave it at 0 where mirror images differ in meaning (digits, text).
        operations: of RandAugment (Cubuk et al. 2020) in timm's form, stronger as their magnitude grows; 0 is off.
        magnitude: of these, 0 to 10 as timm counts.
        magnitude_std: standard deviation with which each operation's magnitude is drawn.
        jitter: largest relative change of brightness, contrast and saturation.
        erase: probability of erasing a rectangle of 2 to 33 % of the area, with sides of a ratio from 0.3 to 3.3, by
            noise like the data's (Zhong et al. 2020).

    Raises:
        ValueError: a number is out of its range, or the network has no mean and standard deviation.
    """
    shares = {"crop": crop, "flip": flip, "jitter": jitter, "erase": erase}
    wrong = [name for name, value in shares.items() if not 0.0 <= value <= 1.0] + (["crop"] if crop == 1.0 else [])
    if wrong or operations < 0 or not 0 <= magnitude <= 10 or magnitude_std < 0:
        raise ValueError(
            "recipe.photo_augment has shares from 0 to 1 (crop below 1), operations from 0, magnitude 0 to 10 and "
            f"magnitude_std from 0, given {shares}, {operations}, {magnitude} and {magnitude_std}"
        )
    if not (any(shares.values()) or operations):
        return plan
    network = plan.built()
    if not isinstance(network, Deployable):
        raise ValueError(f"recipe.photo_augment needs a network with its statistics, given {type(network).__name__}")
    if crop or flip or operations or jitter:
        rule = f"rand-m{magnitude}-n{operations}-mstd{magnitude_std}-inc1" if operations else None
        plan = replace(plan, square=_Square(crop, flip, rule, jitter, network.normalisation[0]))
    return replace(plan, transforms=(*plan.transforms, _Erasing(network, erase))) if erase else plan


class _Square:
    """From an image to an augmented square; can be sent to another process."""

    def __init__(self, crop: float, flip: float, rule: str | None, jitter: float, mean: tuple[float, ...]) -> None:
        self.crop, self.flip, self.rule, self.jitter, self.mean = crop, flip, rule, jitter, mean
        self._steps: dict[int, Any] = {}

    def __call__(self, image: Image.Image, side: int) -> NDArray[np.uint8]:
        """Pixels (C, side, side)."""
        if side not in self._steps:
            self._steps[side] = self.steps(side)
        if not self.crop:
            image = _middle(image, side)
        grey = image.mode == "L"
        augmented = self._steps[side](image.convert("RGB"))
        array = np.asarray(augmented.convert("L") if grey else augmented, dtype=np.uint8)
        return array[None] if grey else np.ascontiguousarray(array.transpose(2, 0, 1))

    def steps(self, side: int) -> Compose:
        """timm's transforms for squares of ``side`` pixels, in timm's order."""
        steps: list[Any] = []
        if self.crop:
            area = (1.0 - self.crop, 1.0)
            steps.append(RandomResizedCropAndInterpolation(side, scale=area, ratio=RATIO, interpolation="random"))
        if self.flip:
            steps.append(RandomHorizontalFlip(self.flip))
        if self.rule is not None:
            level_3 = tuple(min(255, round(255 * value)) for value in (self.mean * 3)[:3])
            settings = {"translate_const": int(side * TRANSLATION), "img_mean": level_3}
            steps.append(_posterizing(rand_augment_transform(self.rule, settings)))
        if self.jitter:
            steps.append(ColorJitter(self.jitter, self.jitter, self.jitter))
        return Compose(steps)


def _posterizing(augment: RandAugment) -> RandAugment:
    """With at least one bit a channel left: timm's largest magnitude leaves none, which Pillow refuses."""
    for operation in augment.ops:
        if operation.name.startswith("Posterize"):
            operation.level_fn = partial(_bits, operation.level_fn)
    return augment


def _bits(bits: Callable[[float, dict[str, Any]], tuple[int]], level: float, settings: dict[str, Any]) -> tuple[int]:
    return (max(1, *bits(level, settings)),)


def _middle(image: Image.Image, side: int) -> Image.Image:
    pixel_CHW = square(image, Decoding(side=side, channels=1 if image.mode == "L" else 3))
    return Image.fromarray(pixel_CHW[0] if len(pixel_CHW) == 1 else pixel_CHW.transpose(1, 2, 0))


class _Erasing:
    """timm's random erasing in mode ``pixel``, whose noise is normal once images are normalised."""

    def __init__(self, network: Deployable, probability: float) -> None:
        self._network = network
        self._erasing = RandomErasing(probability, mode="pixel", device="cpu")  # so that all devices see the same noise

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        mean, std = self._network.mean, self._network.std
        erased_BCHW = (batch.image_BCHW - mean) / std
        with drawn_apart():
            seed_globals(int(torch.randint(2**31, (), generator=generator)))
            erased_BCHW = self._erasing(erased_BCHW)
        return replace(batch, image_BCHW=erased_BCHW * std + mean)

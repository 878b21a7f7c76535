"""RandAugment (Cubuk et al. 2020) on batches, by torchvision: each image has its own operations."""

import torch
from torch import Tensor
from torchvision.transforms import v2

BINS = 31
"""Magnitudes are 0 to 30, as in torchvision."""


def rand_augmented(image_BCHW: Tensor, operations: int, magnitude: int, generator: torch.Generator) -> Tensor:
    """Images in [0, 1], of 1 or 3 channels, after ``operations`` operations each; rounded to 256 levels.

    Args:
        image_BCHW: the images.
        operations: drawn from torchvision's fourteen, with replacement.
        magnitude: of all of them, 0 to 30; some operations have none.
        generator: on the CPU; decides all that is drawn.
    """
    transform = v2.RandAugment(num_ops=operations, magnitude=magnitude, num_magnitude_bins=BINS)
    pixel_BCHW = (image_BCHW.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8)
    seed = int(torch.randint(2**31, (), generator=generator))
    with torch.random.fork_rng(devices=[]):  # torchvision draws from the global generator
        torch.manual_seed(seed)
        augmented = torch.stack([transform(image_CHW) for image_CHW in pixel_BCHW])
    return augmented.to(image_BCHW.dtype) / 255.0

"""Corruptions of images at five severities, each a function of the image, the severity and the seed alone.

Noise, brightness, contrast and JPEG have the levels of ImageNet-C. Blur has those of CIFAR-10-C up to a side of 32
pixels and grows with the side beyond; how much is covered or pixelated is ours.
"""

import io
import math
import zlib
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional
from torchvision.transforms.functional import gaussian_blur

SEVERITIES = (1, 2, 3, 4, 5)

Corruption = Callable[[NDArray[np.float32], float, np.random.Generator], NDArray[np.float32]]
"""From an image (C, H, W) in [0, 1], a level and numbers to an image that may leave [0, 1]."""


def corrupted(image_BCHW: Tensor, kind: str, severity: int, seed: int) -> Tensor:
    """Images in [0, 1] of eight bits, corrupted; what is drawn for an image depends on its pixels and not on its place.

    Args:
        image_BCHW: images in [0, 1].
        kind: one of ``KINDS``.
        severity: 1 to 5.
        seed: of what is drawn.
    """
    corrupt, levels = KINDS[kind]
    number = sorted(KINDS).index(kind)

    def one(image_CHW: NDArray[np.float32]) -> NDArray[np.float32]:
        generator = np.random.default_rng([seed, number, severity, zlib.crc32(image_CHW.tobytes())])
        changed_CHW = corrupt(image_CHW, levels[severity - 1], generator)
        return (changed_CHW.clip(0.0, 1.0) * 255.0).round().astype(np.float32) / np.float32(255.0)

    return torch.from_numpy(np.stack([one(image_CHW) for image_CHW in image_BCHW.contiguous().numpy()]))


def _gaussian_noise(image: NDArray[np.float32], std: float, generator: np.random.Generator) -> NDArray[np.float32]:
    return image + generator.normal(0.0, std, image.shape).astype(np.float32)


def _shot_noise(image: NDArray[np.float32], photons: float, generator: np.random.Generator) -> NDArray[np.float32]:
    return (generator.poisson(image * photons) / photons).astype(np.float32)


def _impulse_noise(image: NDArray[np.float32], share: float, generator: np.random.Generator) -> NDArray[np.float32]:
    drawn = generator.random(image.shape)
    return np.where(drawn < share / 2, 0.0, np.where(drawn > 1 - share / 2, 1.0, image)).astype(np.float32)


def _blur(image: NDArray[np.float32], sigma: float, _: np.random.Generator) -> NDArray[np.float32]:
    side = min(image.shape[1:])
    sigma *= max(1.0, side / 32)
    reach = min(math.ceil(3 * sigma), side - 1)  # as far as an image can be mirrored
    blurred: Tensor = gaussian_blur(torch.from_numpy(image), [2 * reach + 1] * 2, [sigma] * 2)
    return blurred.numpy()


def _pixelate(image: NDArray[np.float32], share: float, _: np.random.Generator) -> NDArray[np.float32]:
    height, width = image.shape[1:]
    small = (max(1, round(height * share)), max(1, round(width * share)))
    coarse = functional.interpolate(torch.from_numpy(image)[None], small, mode="area")
    pixels: NDArray[np.float32] = functional.interpolate(coarse, (height, width), mode="nearest")[0].numpy()
    return pixels


def _contrast(image: NDArray[np.float32], share: float, _: np.random.Generator) -> NDArray[np.float32]:
    mean = image.mean(axis=(1, 2), keepdims=True)
    return np.asarray((image - mean) * share + mean, dtype=np.float32)


def _brightness(image: NDArray[np.float32], more: float, _: np.random.Generator) -> NDArray[np.float32]:
    return image + np.float32(more)


def jpeg(image: NDArray[np.float32], quality: float, _: np.random.Generator | None = None) -> NDArray[np.float32]:
    """An image (C, H, W) in [0, 1] as JPEG of a quality of 1 to 100 leaves it; channels one by one if not three."""
    level = (image * 255.0).round().astype(np.uint8)
    pictures = [level.transpose(1, 2, 0)] if len(level) == 3 else list(level)
    decoded = [_through_jpeg(picture, int(quality)) for picture in pictures]
    result = decoded[0].transpose(2, 0, 1) if len(level) == 3 else np.stack(decoded)
    return (result / np.float32(255.0)).astype(np.float32)


def _through_jpeg(picture: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "JPEG", quality=quality)
    return np.asarray(Image.open(content))


def _occlusion(image: NDArray[np.float32], share: float, generator: np.random.Generator) -> NDArray[np.float32]:
    height, width = image.shape[1:]
    high, wide = max(1, round(height * share)), max(1, round(width * share))
    top, left = generator.integers(height - high + 1), generator.integers(width - wide + 1)
    covered = image.copy()
    covered[:, top : top + high, left : left + wide] = 0.5
    return covered


KINDS: Mapping[str, tuple[Corruption, tuple[float, float, float, float, float]]] = {
    "gaussian noise": (_gaussian_noise, (0.08, 0.12, 0.18, 0.26, 0.38)),
    "shot noise": (_shot_noise, (60, 25, 12, 5, 3)),
    "impulse noise": (_impulse_noise, (0.03, 0.06, 0.09, 0.17, 0.27)),
    "blur": (_blur, (0.4, 0.6, 0.7, 0.8, 1.0)),
    "pixelate": (_pixelate, (0.9, 0.75, 0.6, 0.45, 0.3)),
    "contrast": (_contrast, (0.4, 0.3, 0.2, 0.1, 0.05)),
    "brightness": (_brightness, (0.1, 0.2, 0.3, 0.4, 0.5)),
    "jpeg": (jpeg, (25, 18, 15, 10, 7)),
    "occlusion": (_occlusion, (0.2, 0.3, 0.4, 0.5, 0.6)),
}
"""By name, the corruption and its level at each severity."""

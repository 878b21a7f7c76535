"""RandAugment (Cubuk et al. 2020) on batches, with timm's operations and magnitudes: 10 is full strength.

Each image has its own operations and magnitudes. Images are rounded to 256 levels, on which the operations, Pillow's,
are defined. Interpolation is bilinear, where timm draws bilinear or bicubic.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import functional as pixels

FULL = 10.0
"""The magnitude at which an operation has its full strength, timm's ``_LEVEL_DENOM``."""
MOST = 30.0
"""The largest magnitude that is allowed."""
PROBABILITY = 0.5
"""Of an operation that was drawn to be applied: timm's; TensorFlow's ResNet-RS draws it from 0.2 to 0.8."""

Operation: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""From images (B, C, H, W) in whole numbers of 0 to 255, as floats, and an argument for each (B,), to such images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RandAugment:
    """The transform.

    Attributes:
        operations: drawn for each image, with replacement.
        magnitude: mean of an operation's magnitude, 0 to ``MOST``.
        spread: standard deviation of the magnitudes, timm's ``mstd``.
        increasing: whether all operations grow stronger with the magnitude, timm's ``inc1``. Otherwise posterising and
            solarising grow weaker, and contrast, colour, brightness and sharpness go from 0.1 to 1.9 of what they were
            at 10, as in TensorFlow's.
        fill: what lies outside an image, for each channel, in [0, 1].
    """

    operations: int
    magnitude: float
    spread: float
    increasing: bool
    fill: tuple[float, ...]

    def __call__(self, image_BCHW: Tensor, share: float, generator: torch.Generator) -> Tensor:
        """Augment images in [0, 1] of 1 or 3 channels, at ``share`` of the magnitude; ``generator`` is on the CPU."""
        level_BCHW = (image_BCHW.clamp(0.0, 1.0) * 255.0).round()
        for _ in range(self.operations):
            level_BCHW = self._layer(level_BCHW, share, generator)
        return level_BCHW / 255.0

    def _layer(self, level_BCHW: Tensor, share: float, generator: torch.Generator) -> Tensor:
        count, device = len(level_BCHW), level_BCHW.device
        chosen_B = torch.randint(len(NAMES), (count,), generator=generator)
        applied_B = torch.rand(count, generator=generator) < PROBABILITY
        negative_B = torch.rand(count, generator=generator) < 0.5
        noise_B = torch.randn(count, generator=generator) * self.spread
        # As in timm, the spread does not lead beyond full strength, unless the mean is itself beyond.
        magnitude_B = (self.magnitude * share + noise_B).clamp(0.0, max(FULL, self.magnitude))
        changed_BCHW = level_BCHW.clone()
        for number in torch.unique(chosen_B[applied_B]).tolist():
            rows = (applied_B & (chosen_B == number)).nonzero()[:, 0]
            argument_R = argument(NAMES[number], magnitude_B[rows], negative_B[rows], increasing=self.increasing)
            rows, argument_R = rows.to(device), argument_R.to(device)
            changed_BCHW[rows] = operate(NAMES[number], level_BCHW[rows], argument_R, self.fill)
        return changed_BCHW


def argument(name: str, magnitude_B: Tensor, negative_B: Tensor, *, increasing: bool) -> Tensor:
    """What an operation is told at a magnitude, shape (B,): timm's ``LEVEL_TO_ARG``; nothing that matters for some.

    Args:
        name: of ``NAMES``.
        magnitude_B: at least 0.
        negative_B: whether those that have two directions go the other way.
        increasing: see ``RandAugment``.
    """
    share_B = magnitude_B / FULL
    sign_B = torch.where(negative_B, -1.0, 1.0)
    if name in _LARGEST:
        return share_B * _LARGEST[name] * sign_B
    if name in _BLENDS:
        return (1.0 + 0.9 * share_B * sign_B).clamp(min=0.1) if increasing else share_B * 1.8 + 0.1
    if name == "posterize":
        bits_B = (share_B * 4).floor()
        return (4 - bits_B).clamp(min=0) if increasing else bits_B
    if name == "solarize":
        bound_B = (share_B * 256).floor().clamp(max=256)
        return 256 - bound_B if increasing else bound_B
    return (share_B * 110).floor().clamp(max=128)  # solarize_add; the others read nothing


def operate(name: str, level_BCHW: Tensor, argument_B: Tensor, fill: tuple[float, ...]) -> Tensor:
    """An operation on images of whole numbers from 0 to 255; ``fill`` in [0, 1] lies outside of them."""
    if name in _LARGEST:
        return _moved(level_BCHW, _from_where(name, argument_B, level_BCHW), fill)
    return _ON_PIXELS[name](level_BCHW, argument_B[:, None, None, None])


_LARGEST = {"rotate": 30.0, "shear_x": 0.3, "shear_y": 0.3, "translate_x": 0.45, "translate_y": 0.45}
"""Degrees, slopes and shares of the side at full strength."""


def _from_where(name: str, argument_B: Tensor, level_BCHW: Tensor) -> Tensor:
    """Matrices (B, 2, 3) from places in the result to places in the image, in pixels from the upper left corner."""
    height, width = level_BCHW.shape[-2:]
    matrix_B23 = torch.eye(2, 3, device=argument_B.device).repeat(len(argument_B), 1, 1)
    if name == "shear_x":
        matrix_B23[:, 0, 1] = argument_B
    elif name == "shear_y":
        matrix_B23[:, 1, 0] = argument_B
    elif name == "translate_x":
        matrix_B23[:, 0, 2] = argument_B * width
    elif name == "translate_y":
        matrix_B23[:, 1, 2] = argument_B * height
    else:  # counter-clockwise about the middle
        cos_B, sin_B = torch.cos(argument_B * math.pi / 180), torch.sin(argument_B * math.pi / 180)
        turn_B22 = torch.stack([torch.stack([cos_B, -sin_B], 1), torch.stack([sin_B, cos_B], 1)], 1)
        middle_2 = torch.tensor([width / 2, height / 2], device=argument_B.device)
        matrix_B23 = torch.cat([turn_B22, (middle_2 - turn_B22 @ middle_2)[:, :, None]], dim=2)
    return matrix_B23


def _moved(level_BCHW: Tensor, matrix_B23: Tensor, fill: tuple[float, ...]) -> Tensor:
    height, width = level_BCHW.shape[-2:]
    row_H, column_W = (torch.arange(side, device=level_BCHW.device) + 0.5 for side in (height, width))
    down_HW, across_HW = torch.meshgrid(row_H, column_W, indexing="ij")
    place_HW3 = torch.stack([across_HW, down_HW, torch.ones_like(down_HW)], dim=-1)
    from_BHW2 = torch.einsum("hwk,bck->bhwc", place_HW3, matrix_B23)
    size_2 = torch.tensor([width, height], device=level_BCHW.device)
    outside_BHW = ((from_BHW2 < 0) | (from_BHW2 >= size_2)).any(-1)
    moved_BCHW = F.grid_sample(
        level_BCHW, 2 * from_BHW2 / size_2 - 1, padding_mode="border", align_corners=False
    ).round()
    fill_C11 = (torch.tensor(fill, device=level_BCHW.device) * 255).round()[:, None, None]
    return torch.where(outside_BHW[:, None], fill_C11, moved_BCHW)


def _blended(level_BCHW: Tensor, plain_BCHW: Tensor, factor_B111: Tensor) -> Tensor:
    """Away from (above 1) or towards an image without the property; cut off as Pillow does, not rounded."""
    return (plain_BCHW + factor_B111 * (level_BCHW - plain_BCHW)).clamp(0, 255).floor()


def _grey(level_BCHW: Tensor) -> Tensor:
    """Brightness (B, 1, H, W), in whole numbers (ITU-R 601-2, as Pillow's)."""
    if level_BCHW.shape[1] == 1:
        return level_BCHW
    red, green, blue = level_BCHW.unbind(1)
    return ((red * 19595 + green * 38470 + blue * 7471 + 32768) / 65536).floor()[:, None]


def _contrast(level_BCHW: Tensor, factor_B111: Tensor) -> Tensor:
    mean_B111 = (_grey(level_BCHW).mean((1, 2, 3), keepdim=True) + 0.5).floor()
    return _blended(level_BCHW, mean_B111, factor_B111)


def _sharpness(level_BCHW: Tensor, factor_B111: Tensor) -> Tensor:
    """Blend with the image smoothed by a 3 x 3 kernel, whose outermost pixels stay what they are."""
    if min(level_BCHW.shape[-2:]) < 3:
        return level_BCHW
    kernel_1133 = torch.ones(1, 1, 3, 3, device=level_BCHW.device)
    kernel_1133[..., 1, 1] = 5.0
    channels = level_BCHW.shape[1]
    inner = F.conv2d(level_BCHW, kernel_1133.expand(channels, 1, 3, 3) / 13, groups=channels)
    smooth_BCHW = level_BCHW.clone()
    smooth_BCHW[..., 1:-1, 1:-1] = inner.add(0.5).floor()
    return _blended(level_BCHW, smooth_BCHW, factor_B111)


def _posterized(level_BCHW: Tensor, bits_B111: Tensor) -> Tensor:
    step_B111 = 2 ** (8 - bits_B111)
    return torch.where(bits_B111 >= 8, level_BCHW, (level_BCHW / step_B111).floor() * step_B111)


def _by_torchvision(operation: Callable[[Tensor], Tensor]) -> Operation:
    return lambda level_BCHW, _: operation(level_BCHW.to(torch.uint8)).to(level_BCHW.dtype)


_BLENDS: dict[str, Operation] = {
    "brightness": lambda level, factor: _blended(level, torch.zeros_like(level), factor),
    "color": lambda level, factor: _blended(level, _grey(level), factor),
    "contrast": _contrast,
    "sharpness": _sharpness,
}
_ON_PIXELS: dict[str, Operation] = {
    "auto_contrast": _by_torchvision(pixels.autocontrast),
    "equalize": _by_torchvision(pixels.equalize),
    "invert": lambda level, _: 255 - level,
    "posterize": _posterized,
    "solarize": lambda level, bound: torch.where(level >= bound, 255 - level, level),
    "solarize_add": lambda level, add: torch.where(level < 128, (level + add).clamp(max=255), level),
    **_BLENDS,
}
NAMES = (*_ON_PIXELS, *_LARGEST)
"""timm's fifteen operations."""

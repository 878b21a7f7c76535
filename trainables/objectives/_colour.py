"""Colour changes of whole batches, each image with its own amounts, and what SimCLR, SwAV, BYOL and DINO choose."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

RED_GREEN_BLUE = 3
LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the grey of an image (ITU-R 601-2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    """What a paper does to the views of an image beside the changes of brightness and contrast.

    Attributes:
        saturation, hue: largest relative change of saturation, and of hue as a share of the colour circle.
        jittered: probability of the two.
        grey: probability of an image without colour.
        blur: probability of a Gaussian blur, for the first view and for all others.
        solarise: the same, of inverting all values above a half.
        aspect: largest ratio of the sides of a crop.
    """

    saturation: float
    hue: float
    jittered: float = 0.8
    grey: float = 0.2
    blur: tuple[float, float] = (0.5, 0.5)
    solarise: tuple[float, float] = (0.0, 0.0)
    aspect: float = 4 / 3


COLOURS: dict[str, Colour | None] = {
    "none": None,
    "simclr": Colour(saturation=0.8, hue=0.2),
    "swav": Colour(saturation=0.8, hue=0.2),
    "byol": Colour(saturation=0.2, hue=0.1, blur=(1.0, 0.1), solarise=(0.0, 0.2)),
    "dino": Colour(saturation=0.2, hue=0.1, blur=(1.0, 0.1), solarise=(0.0, 0.2)),
}
"""By the name of the paper; DINO's small views are blurred with probability .5, see ``SMALL``."""

SMALL = {"dino": (0.5, 0.0)}
"""Probabilities of blur and of solarising of small views, where a paper has others for them than for the second."""

BLURRED_SIDE = 224
"""Side for which the papers blur by 0.1 to 2 pixels; other sides in proportion, since 2 of 32 would leave nothing."""


def saturated(image_B3HW: Tensor, factor_B: Tensor) -> Tensor:
    """Each image mixed with its own grey: 0 is grey, 1 the image, more is more vivid; kept in [0, 1]."""
    grey_B1HW, factor_B111 = grey(image_B3HW), factor_B[:, None, None, None]
    return (grey_B1HW + (image_B3HW - grey_B1HW) * factor_B111).clamp(0, 1)


def grey(image_B3HW: Tensor) -> Tensor:
    """The one channel that an image is without its colours."""
    luma_311 = image_B3HW.new_tensor(LUMA)[:, None, None]
    return (image_B3HW * luma_311).sum(dim=1, keepdim=True)


def turned(image_B3HW: Tensor, turn_B: Tensor) -> Tensor:
    """Each image, in [0, 1], with its hues turned by a share of the colour circle; value and saturation stay."""
    value, least = image_B3HW.amax(dim=1), image_B3HW.amin(dim=1)
    spread = value - least
    red, green, blue = image_B3HW.unbind(dim=1)
    divisor = spread.clamp_min(1e-8)
    sextant = torch.where(
        value == red,
        (green - blue) / divisor % 6,
        torch.where(value == green, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )
    hue = sextant + 6 * turn_B[:, None, None]

    def channel(first: int) -> Tensor:
        place = (first + hue) % 6
        return value - spread * torch.minimum(place, 4 - place).clamp(0, 1)

    return torch.stack([channel(first) for first in (5, 3, 1)], dim=1)


def blurred(image_BCHW: Tensor, deviation_B: Tensor) -> Tensor:
    """Each image after a Gaussian of its own deviation, in pixels > 0; edges are mirrored."""
    count, channels, height, width = image_BCHW.shape
    reach = min(max(1, int(torch.ceil(2 * deviation_B.max()))), height - 1, width - 1)
    if reach < 1:
        return image_BCHW
    place_T = torch.arange(-reach, reach + 1, device=image_BCHW.device)
    kernel_BT = torch.exp(-((place_T / deviation_B[:, None]) ** 2) / 2)
    kernel_NT = (kernel_BT / kernel_BT.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)
    rows_1NHW = F.pad(image_BCHW, (reach,) * 4, mode="reflect").reshape(1, count * channels, *_wider(image_BCHW, reach))
    rows_1NHW = F.conv2d(rows_1NHW, kernel_NT[:, None, None, :], groups=count * channels)
    rows_1NHW = F.conv2d(rows_1NHW, kernel_NT[:, None, :, None], groups=count * channels)
    return rows_1NHW.reshape(count, channels, height, width)


def _wider(image_BCHW: Tensor, reach: int) -> tuple[int, int]:
    return image_BCHW.shape[-2] + 2 * reach, image_BCHW.shape[-1] + 2 * reach


def solarised(image_BCHW: Tensor) -> Tensor:
    """Values of at least a half inverted."""
    return torch.where(image_BCHW >= 0.5, 1 - image_BCHW, image_BCHW)


def coloured(image_BCHW: Tensor, colour: Colour, generator: torch.Generator, *, number: int, small: str = "") -> Tensor:
    """A view, in [0, 1], after a paper's changes of its colours; nothing of it for images without three channels.

    Args:
        image_BCHW: the views.
        colour: probabilities and amounts.
        generator: on the CPU.
        number: of the view, from 0: papers blur and solarise the first differently.
        small: the paper's name for a small view, see ``SMALL``.
    """
    if image_BCHW.shape[1] != RED_GREEN_BLUE:
        return image_BCHW

    def draw(low: float, high: float) -> Tensor:
        return (low + (high - low) * torch.rand(len(image_BCHW), generator=generator)).to(image_BCHW.device)

    def where(probability: float, changed_BCHW: Tensor, otherwise_BCHW: Tensor) -> Tensor:
        return torch.where((draw(0.0, 1.0) < probability)[:, None, None, None], changed_BCHW, otherwise_BCHW)

    seen_BCHW = image_BCHW.clamp(0, 1)
    vivid_BCHW = saturated(seen_BCHW, draw(1 - colour.saturation, 1 + colour.saturation))
    seen_BCHW = where(colour.jittered, turned(vivid_BCHW, draw(-colour.hue, colour.hue)), seen_BCHW)
    seen_BCHW = where(colour.grey, grey(seen_BCHW).expand_as(seen_BCHW), seen_BCHW)
    later = min(number, 1)
    blur, solarise = SMALL.get(small, (colour.blur[later], colour.solarise[later]))
    share = max(image_BCHW.shape[-2:]) / BLURRED_SIDE
    seen_BCHW = where(blur, blurred(seen_BCHW, draw(0.1 * share, 2.0 * share)), seen_BCHW)
    return where(solarise, solarised(seen_BCHW), seen_BCHW) if solarise else seen_BCHW

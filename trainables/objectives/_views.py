"""Random views of whole batches, for objectives that compare several views of an image."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.objectives._colour import COLOURS, RED_GREEN_BLUE, coloured


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """How an objective sees an image several times.

    Attributes:
        crop: least area of the crop, as a share of the image; 1 is off.
        jitter: largest relative change of brightness and of contrast; 0 is off.
        flip: probability of a horizontal flip; leave it at 0 where mirror images differ in meaning.
        colour: whose changes of colour images of three channels have beside, a name of ``_colour.COLOURS``: saturation,
            hue, grey, blur, solarising, and crops that are not square. The papers' ``jitter`` is 0.8 (SimCLR, SwAV)
            and 0.4 (BYOL, DINO).
    """

    crop: float
    jitter: float
    flip: float
    colour: str = "none"

    def __post_init__(self) -> None:
        if self.colour not in COLOURS:
            raise ValueError(f"views have the colours of {', '.join(COLOURS)}, given '{self.colour}'")

    def of(self, image_BCHW: Tensor, generator: torch.Generator, *, number: int) -> Tensor:
        """View ``number``, from 0, of each image."""
        return self.placed(image_BCHW, generator, number=number)[0]

    def placed(self, image_BCHW: Tensor, generator: torch.Generator, *, number: int) -> tuple[Tensor, Tensor]:
        """View ``number``, from 0, of each image, and where it was cut (B, 2, 3), see ``trainables.batches.places``."""
        return self._seen(image_BCHW, generator, number=number, side=None, crop=self.crop, most=1.0, small="")

    def small(
        self, image_BCHW: Tensor, generator: torch.Generator, *, number: int, side: int, least: float, most: float
    ) -> Tensor:
        """A view of ``side`` pixels that shows ``least`` to ``most`` of the area of each image."""
        return self._seen(image_BCHW, generator, number=number, side=side, crop=least, most=most, small=self.colour)[0]

    def smalls(
        self, image_BCHW: Tensor, generator: torch.Generator, *, count: int, side: int, area: tuple[float, float]
    ) -> Tensor:
        """``count`` small views of each image, one after the other, numbered after the two large ones.

        Args:
            image_BCHW: the images.
            generator: on the CPU.
            count: how many, above 0.
            side: of the views, pixels.
            area: least and largest share of an image that a view shows.
        """
        least, most = area
        views = [
            self.small(image_BCHW, generator, number=2 + number, side=side, least=least, most=most)
            for number in range(count)
        ]
        return torch.cat(views)

    def _seen(
        self,
        image_BCHW: Tensor,
        generator: torch.Generator,
        *,
        number: int,
        side: int | None,
        crop: float,
        most: float,
        small: str,
    ) -> tuple[Tensor, Tensor]:
        colour = COLOURS[self.colour] if image_BCHW.shape[1] == RED_GREEN_BLUE else None
        seen_BCHW, placed_B23 = placed_view(
            image_BCHW,
            generator,
            crop=crop,
            most=most,
            aspect=1.0 if colour is None else colour.aspect,
            side=side,
            jitter=self.jitter,
            flip=self.flip,
        )
        if colour is not None:
            seen_BCHW = coloured(seen_BCHW, colour, generator, number=number, small=small)
        return seen_BCHW, placed_B23


def placed_view(
    image_BCHW: Tensor,
    generator: torch.Generator,
    *,
    crop: float,
    most: float = 1.0,
    aspect: float = 1.0,
    side: int | None = None,
    jitter: float,
    flip: float,
) -> tuple[Tensor, Tensor]:
    """One view of each image in [0, 1], each with its own random numbers, and where it was cut (B, 2, 3).

    Args:
        image_BCHW: the images.
        generator: on the CPU, so that every device sees the same numbers.
        crop, most: least and largest area of the crop, as a share of the image.
        aspect: largest ratio of the crop's sides; 1 is the image's own.
        side: of the result, pixels; the image's own by default.
        jitter: largest relative change of brightness and of contrast; 0 is off.
        flip: probability of a horizontal flip; leave it at 0 where mirror images differ in meaning.
    """
    count, channels, height, width = image_BCHW.shape

    def draw(low: float, high: float) -> Tensor:
        return (low + (high - low) * torch.rand(count, generator=generator)).to(image_BCHW.device)

    scale_B = draw(crop, most).sqrt()
    longer_B = (draw(-1.0, 1.0) * math.log(aspect) / 2).exp() if aspect > 1 else torch.ones_like(scale_B)
    wide_B, high_B = (scale_B * longer_B).clamp(max=1.0), (scale_B / longer_B).clamp(max=1.0)
    mirror_B = torch.where(draw(0.0, 1.0) < flip, -1.0, 1.0)
    zero_B = torch.zeros_like(scale_B)
    # The room of the crop's centre to either side, in grid_sample's coordinates.
    first_B3 = torch.stack([wide_B * mirror_B, zero_B, (1.0 - wide_B) * draw(-1.0, 1.0)], dim=1)
    second_B3 = torch.stack([zero_B, high_B, (1.0 - high_B) * draw(-1.0, 1.0)], dim=1)
    shape = [count, channels, side or height, side or width]
    placed_B23 = torch.stack([first_B3, second_B3], dim=1)
    grid_BHW2 = F.affine_grid(placed_B23, shape, align_corners=False)
    seen_BCHW = F.grid_sample(image_BCHW, grid_BHW2, padding_mode="border", align_corners=False)
    brightness_B, contrast_B = draw(1.0 - jitter, 1.0 + jitter), draw(1.0 - jitter, 1.0 + jitter)
    mean_B = seen_BCHW.mean(dim=(1, 2, 3))[:, None, None, None]
    contrasted_BCHW = (seen_BCHW - mean_B) * contrast_B[:, None, None, None] + mean_B
    return contrasted_BCHW * brightness_B[:, None, None, None], placed_B23


def random_mask(count: int, side: int, hidden: int, generator: torch.Generator) -> Tensor:
    """Which units of a square grid are hidden, bool (count, 1, side, side).

    The same number in each, ``hidden``, but at least one, and not all.

    Raises:
        ValueError: the grid has a single unit.
    """
    units = side * side
    if units < 2:
        raise ValueError("a map of one unit cannot be masked in part; give the network a larger image")
    rank_BU = torch.rand(count, units, generator=generator).argsort(dim=1).argsort(dim=1)
    return (rank_BU < min(max(1, hidden), units - 1)).reshape(count, 1, side, side)

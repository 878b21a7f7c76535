"""Random views of whole batches, for objectives that compare several views of an image."""

import torch
import torch.nn.functional as F
from torch import Tensor


def view(
    image_BCHW: Tensor, generator: torch.Generator, *, crop: float, side: int | None = None, jitter: float, flip: float
) -> Tensor:
    """One view of each image in [0, 1], each with its own random numbers.

    Args:
        image_BCHW: the images.
        generator: on the CPU, so that every device sees the same numbers.
        crop: least area of the square crop, as a share of the image; 1 is off.
        side: of the result, pixels; the image's own by default.
        jitter: largest relative change of brightness and of contrast; 0 is off.
        flip: probability of a horizontal flip; leave it at 0 where mirror images differ in meaning.
    """
    count, channels, height, width = image_BCHW.shape

    def draw(low: float, high: float) -> Tensor:
        return (low + (high - low) * torch.rand(count, generator=generator)).to(image_BCHW.device)

    scale_B = draw(crop, 1.0).sqrt()
    room_B = 1.0 - scale_B  # of the crop's centre to either side, in grid_sample's coordinates
    mirror_B = torch.where(draw(0.0, 1.0) < flip, -1.0, 1.0)
    zero_B = torch.zeros_like(scale_B)
    first_B3 = torch.stack([scale_B * mirror_B, zero_B, room_B * draw(-1.0, 1.0)], dim=1)
    second_B3 = torch.stack([zero_B, scale_B, room_B * draw(-1.0, 1.0)], dim=1)
    shape = [count, channels, side or height, side or width]
    grid_BHW2 = F.affine_grid(torch.stack([first_B3, second_B3], dim=1), shape, align_corners=False)
    seen_BCHW = F.grid_sample(image_BCHW, grid_BHW2, padding_mode="border", align_corners=False)
    brightness_B, contrast_B = draw(1.0 - jitter, 1.0 + jitter), draw(1.0 - jitter, 1.0 + jitter)
    mean_B = seen_BCHW.mean(dim=(1, 2, 3))[:, None, None, None]
    contrasted_BCHW = (seen_BCHW - mean_B) * contrast_B[:, None, None, None] + mean_B
    return contrasted_BCHW * brightness_B[:, None, None, None]


def random_mask(count: int, side: int, share: float, generator: torch.Generator) -> Tensor:
    """Which units of a square grid are hidden, bool (count, 1, side, side).

    The same number in each, ``share`` rounded to whole units: at least one, and not all.

    Raises:
        ValueError: the grid has a single unit.
    """
    units = side * side
    if units < 2:
        raise ValueError("a map of one unit cannot be masked in part; give the network a larger image")
    hidden = min(max(1, round(share * units)), units - 1)
    rank_BU = torch.rand(count, units, generator=generator).argsort(dim=1).argsort(dim=1)
    return (rank_BU < hidden).reshape(count, 1, side, side)

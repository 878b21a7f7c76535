"""Random geometric augmentation of whole batches: shift, rotation, flip, erasing; each image draws its own."""

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.plan import Batch, Plan, Stage

STAGE = Stage.BATCH


def apply(
    plan: Plan, *, shift: float = 0.0, rotate_degrees: float = 0.0, flip: float = 0.0, erase: float = 0.0
) -> Plan:
    """Augment every training image.

    Args:
        plan: the plan so far.
        shift: largest shift in each direction, as a fraction of the side; the border is zero.
        rotate_degrees: largest rotation to either side.
        flip: probability of a horizontal flip. Leave it at 0 where mirror images differ in meaning (digits, text).
        erase: probability of erasing a square of a quarter of the side with the image's mean (Zhong et al. 2020).
    """
    moves = bool(shift or rotate_degrees or flip)

    def augment(batch: Batch, generator: torch.Generator) -> Batch:
        image_BCHW = batch.image_BCHW
        if moves:
            image_BCHW = _moved(image_BCHW, shift, rotate_degrees, flip, generator)
        if erase:
            image_BCHW = _erased(image_BCHW, erase, generator)
        return replace(batch, image_BCHW=image_BCHW)

    return replace(plan, transforms=(*plan.transforms, augment)) if moves or erase else plan


def _uniform(count: int, generator: torch.Generator, like: Tensor) -> Tensor:
    """``count`` numbers in [0, 1), drawn on the CPU so that every device sees the same."""
    return torch.rand(count, generator=generator).to(like.device)


def _moved(image_BCHW: Tensor, shift: float, degrees: float, flip: float, generator: torch.Generator) -> Tensor:
    count = len(image_BCHW)
    angle_B = (2 * _uniform(count, generator, image_BCHW) - 1) * math.radians(degrees)
    # grid_sample's coordinates run from -1 to 1: a shift by the whole side is 2.
    right_B = (2 * _uniform(count, generator, image_BCHW) - 1) * 2 * shift
    down_B = (2 * _uniform(count, generator, image_BCHW) - 1) * 2 * shift
    mirror_B = torch.where(_uniform(count, generator, image_BCHW) < flip, -1.0, 1.0)
    cos_B, sin_B = angle_B.cos(), angle_B.sin()
    first_B3 = torch.stack([mirror_B * cos_B, -sin_B, right_B], dim=1)
    second_B3 = torch.stack([mirror_B * sin_B, cos_B, down_B], dim=1)
    matrix_B23 = torch.stack([first_B3, second_B3], dim=1)
    grid_BHW2 = F.affine_grid(matrix_B23, list(image_BCHW.shape), align_corners=False)
    return F.grid_sample(image_BCHW, grid_BHW2, padding_mode="zeros", align_corners=False)


def _erased(image_BCHW: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    count, _, height, width = image_BCHW.shape
    top_B = _uniform(count, generator, image_BCHW) * 0.75 * height
    left_B = _uniform(count, generator, image_BCHW) * 0.75 * width
    hit_B = _uniform(count, generator, image_BCHW) < probability
    row_H = torch.arange(height, device=image_BCHW.device)
    column_W = torch.arange(width, device=image_BCHW.device)
    rows_BH = (row_H >= top_B[:, None].floor()) & (row_H < top_B[:, None].floor() + math.ceil(height / 4))
    columns_BW = (column_W >= left_B[:, None].floor()) & (column_W < left_B[:, None].floor() + math.ceil(width / 4))
    mask_BHW = rows_BH[:, :, None] & columns_BW[:, None, :] & hit_B[:, None, None]
    mean_B = image_BCHW.mean(dim=(1, 2, 3))
    return torch.where(mask_BHW[:, None], mean_B[:, None, None, None], image_BCHW)

"""Random augmentation of batches: shift, rotation, flip, random-resized crop, RandAugment, erasing; by image.

It may grow while the network trains, as in EfficientTrain (Wang et al. 2023).
"""

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.batches.places import carried, check_kept
from trainables.deploy import Deployable
from trainables.plan import Batch, Plan, Stage
from trainables.recipe._rand_augment import MOST, RandAugment

PAPER = "https://arxiv.org/abs/1708.04896"
STAGE = Stage.BATCH
OFF: dict[str, float] = {}
TRIED = (
    {"shift": 0.1},
    {"rotate_degrees": 10.0},
    {"flip": 0.5},
    {"erase": 0.25},
    {"crop": 0.5},
    {"shift": 0.1, "rotate_degrees": 10.0, "erase": 0.25},
    {"shift": 0.1, "rotate_degrees": 10.0, "erase": 0.25, "first": 1 / 9},
    {"operations": 2, "magnitude": 9.0, "spread": 0.5},
)
PER_WORKER = "each worker draws for its own images"


def apply(
    plan: Plan,
    *,
    shift: float = 0.0,
    rotate_degrees: float = 0.0,
    flip: float = 0.0,
    erase: float = 0.0,
    crop: float = 0.0,
    operations: int = 0,
    magnitude: float = 10.0,
    spread: float = 0.0,
    increasing: bool = True,
    first: float = 1.0,
) -> Plan:
    """Augment every training image.

    Args:
        plan: the plan so far.
        shift: largest shift in each direction, as a fraction of the side; the border is zero.
        rotate_degrees: largest rotation to either side.
        flip: probability of a horizontal flip. Leave it at 0 where mirror images differ in meaning (digits, text).
        erase: probability of erasing a square of a quarter of the side with the image's mean (Zhong et al. 2020).
        crop: largest share of the area that a random-resized crop cuts off (Szegedy et al. 2015: 0.92), with a ratio
            of its sides from 3/4 to 4/3.
        operations: of RandAugment (Cubuk et al. 2020), which shear, turn, shift or recolour an image; 0 is off.
        magnitude: of these operations on timm's scale: 10 is full strength, at most 30. EfficientTrain ends at 9;
            ResNet-RS has 10 to 15.
        spread: standard deviation of the magnitude from operation to operation; EfficientTrain has 0.5.
        increasing: whether every operation grows with the magnitude, as in EfficientTrain; not so in ResNet-RS.
        first: share of all of these but ``flip`` and ``operations`` in the first fifth of the epochs, which grows
            evenly to 1 in the last; EfficientTrain's magnitudes 1, 3, 5, 7, 9 are 1/9.

    Raises:
        ValueError: ``crop`` is not in [0, 1), ``first`` not in [0, 1], or a setting of RandAugment is out of range.
    """
    if not 0.0 <= crop < 1.0 or not 0.0 <= first <= 1.0:
        raise ValueError(
            f"recipe.augment.crop is in [0, 1) and recipe.augment.first in [0, 1], given {crop} and {first}"
        )
    if operations < 0 or not 0 <= magnitude <= MOST or spread < 0:
        raise ValueError(
            "recipe.augment.operations and recipe.augment.spread are at least 0 and recipe.augment.magnitude is 0 to "
            f"{MOST:g}, given {operations}, {spread} and {magnitude}"
        )
    moves = bool(shift or rotate_degrees or flip or crop)
    strength = _Strength(first, plan.epochs)
    rand_augment = RandAugment(
        operations=operations,
        magnitude=magnitude,
        spread=spread,
        increasing=increasing,
        fill=_mean(plan) if operations else (),
    )

    def augment(batch: Batch, generator: torch.Generator) -> Batch:
        image_BCHW, fields = batch.image_BCHW, batch.fields
        if moves:
            image_BCHW, move_B23 = _moved(
                image_BCHW,
                shift * strength.now,
                rotate_degrees * strength.now,
                flip,
                crop * strength.now,
                bool(crop),
                generator,
            )
            fields = carried(fields, move_B23) if fields else fields
        if operations:
            check_kept(fields, "recipe.augment.operations", "use 0 of them")
            image_BCHW = rand_augment(image_BCHW, strength.now, generator)
        if erase:
            image_BCHW = _erased(image_BCHW, erase * strength.now, generator)
        return replace(batch, image_BCHW=image_BCHW, fields=fields)

    if not (moves or erase or operations):
        return plan
    plan = replace(plan, transforms=(*plan.transforms, augment))
    return plan if first == 1.0 else replace(plan, before_epoch=(*plan.before_epoch, strength.set))


def _mean(plan: Plan) -> tuple[float, ...]:
    """What the network takes for the images' mean, which timm fills the border with."""
    network = plan.built()
    if not isinstance(network, Deployable):
        raise ValueError(f"recipe.augment.operations needs a network with a mean, given {type(network).__name__}")
    return network.normalisation[0]


class _Strength:
    """The share of its full strength that augmentation has, by epoch."""

    def __init__(self, first: float, epochs: int) -> None:
        self._first, self._epochs = first, epochs
        self.now = 1.0

    def set(self, epoch: int) -> None:
        fifth = min(4, 5 * (epoch - 1) // self._epochs)
        self.now = self._first + (1.0 - self._first) * fifth / 4


def _uniform(count: int, generator: torch.Generator, like: Tensor) -> Tensor:
    """``count`` numbers in [0, 1), drawn on the CPU so that every device sees the same."""
    return torch.rand(count, generator=generator).to(like.device)


def _moved(
    image_BCHW: Tensor,
    shift: float,
    degrees: float,
    flip: float,
    crop: float,
    crops: bool,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """The images, and where they were cut, see ``trainables.batches.places``."""
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
    if crops:  # drawn last, so that without it the numbers of the others stay what they were
        scale_B2, centre_B2 = _crop(image_BCHW, crop, generator)
        matrix_B23 = torch.cat(
            [matrix_B23[:, :, :2] * scale_B2[:, None], matrix_B23[:, :, 2:] + centre_B2[:, :, None]], 2
        )
    grid_BHW2 = F.affine_grid(matrix_B23, list(image_BCHW.shape), align_corners=False)
    return F.grid_sample(image_BCHW, grid_BHW2, padding_mode="zeros", align_corners=False), matrix_B23


def _crop(image_BCHW: Tensor, most: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Width and height of each image's crop as shares of the image's, and its centre in grid_sample's coordinates."""
    count, _, height, width = image_BCHW.shape
    area_B = 1.0 - most * _uniform(count, generator, image_BCHW)
    ratio_B = ((2 * _uniform(count, generator, image_BCHW) - 1) * math.log(4 / 3)).exp()
    scale_B2 = torch.stack([area_B * ratio_B, area_B / ratio_B], dim=1).sqrt().clamp(max=1.0)
    place_B2 = torch.stack([_uniform(count, generator, image_BCHW) for _ in range(2)], dim=1) * 2 - 1
    # Up to where the outer pixels' centres meet the image's, so that a crop alone never reads the border.
    inner_2 = torch.tensor([1 - 1 / width, 1 - 1 / height], device=image_BCHW.device)
    return scale_B2, place_B2 * (1 - scale_B2) * inner_2


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

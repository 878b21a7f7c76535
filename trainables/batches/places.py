"""Where a view was cut: affine maps (B, 2, 3) between coordinates of images, which go from -1 to 1 across each image.

A map leads from places of a view to places of what it was cut from, as ``torch.nn.functional.affine_grid`` has it, so a
view is its original read at the mapped places. Resizing changes no coordinate.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from spaces.mistake import Mistake
from trainables.batches.fields import PLACED, VOCABULARY


class PlaceError(Mistake):
    """Something cuts or moves images without saying where, and an objective reads it."""


def everywhere(count: int, device: torch.device) -> Tensor:
    """The map of views that show all of their original as it is."""
    return torch.eye(2, 3, device=device).repeat(count, 1, 1)


def composed(outer_B23: Tensor, inner_B23: Tensor) -> Tensor:
    """The map of a view of a view: first ``inner_B23``, of the last cut, then ``outer_B23``, of the one before."""
    turn_B22 = outer_B23[:, :, :2] @ inner_B23[:, :, :2]
    shift_B21 = outer_B23[:, :, :2] @ inner_B23[:, :, 2:] + outer_B23[:, :, 2:]
    return torch.cat([turn_B22, shift_B21], dim=2)


def centres(placed_B23: Tensor, side: int) -> Tensor:
    """Where the centres of a view's ``side`` x ``side`` cells lie in its original, row by row, shape (B, cells, 2)."""
    shape = [len(placed_B23), 1, side, side]
    return F.affine_grid(placed_B23, shape, align_corners=False).flatten(1, 2)


def carried(fields: Mapping[str, Tensor], move_B23: Tensor) -> dict[str, Tensor]:
    """The fields of images that were moved by ``move_B23``: maps are read where the images are, 0 outside of them."""
    return {name: _carried(name, value, move_B23) for name, value in fields.items()}


def _carried(name: str, value: Tensor, move_B23: Tensor) -> Tensor:
    if name == PLACED:
        return composed(value, move_B23)
    if not VOCABULARY[name].spatial:
        return value
    grid_BHW2 = F.affine_grid(move_B23, list(value.shape), align_corners=False)
    return F.grid_sample(value, grid_BHW2, padding_mode="zeros", align_corners=False)


def check_kept(fields: Mapping[str, object], what: str, remedy: str) -> None:
    """That no field says or needs to know where images were cut.

    Args:
        fields: of a batch, or their names.
        what: cuts or moves images without saying where, for people.
        remedy: what to do.

    Raises:
        PlaceError: one does.
    """
    for name in fields:
        if name == PLACED or VOCABULARY[name].spatial:
            raise PlaceError(
                f"{what} does not say where it moves images, which the field {name} "
                f"({VOCABULARY[name].meaning}) needs; {remedy}"
            )

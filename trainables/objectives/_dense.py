"""Places of two views: heads on maps, and which places of one view are which of the other."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.batches.places import centres, composed
from trainables.deploy import Deployable, evaluating
from trainables.maps import as_map, prefix_tokens, width_of


@torch.no_grad()
def features_of_places(network: Deployable) -> int:
    """Number of features of a place."""
    with evaluating(network):
        return width_of(network.features(network.blank()))


class PlaceHead(nn.Sequential):
    """A hidden layer with batch normalisation and ReLU, and a linear one, at every place of a map.

    Args:
        inputs, width, outputs: numbers of features.
        norm: whether the last layer is normalised, too.
    """

    def __init__(self, inputs: int, width: int, outputs: int, *, norm: bool = False) -> None:
        hidden = (nn.Conv2d(inputs, width, 1), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, outputs, 1))
        super().__init__(*hidden, *([nn.BatchNorm2d(outputs)] if norm else []))


def directions_of_places(network: Deployable, head: nn.Module, features: Tensor) -> Tensor:
    """Directions of the places of a network's ``features`` by a head on maps, shape (B, E, places)."""
    projected_BEHW: Tensor = head(as_map(features, prefix_tokens(network)))
    return F.normalize(projected_BEHW.flatten(2), dim=1)


def rows_of_places(place_BFN: Tensor) -> Tensor:
    """One row a place, shape (B places, F)."""
    return place_BFN.transpose(1, 2).flatten(0, 1)


def seen_by(network: Deployable, placed_B23: Tensor, side: int) -> Tensor:
    """Where what a network sees of views of ``side`` pixels was cut: their middle, if its preprocessing crops."""
    column_11SS = torch.arange(float(side)).expand(1, 1, side, side)
    seen_W = network.view.middle(column_11SS)[0, 0, 0]
    scale, centre = len(seen_W) / side, float(seen_W.mean() + 0.5) * 2 / side - 1
    middle_23 = placed_B23.new_tensor([[scale, 0.0, centre], [0.0, scale, centre]])
    return composed(placed_B23, middle_23.expand_as(placed_B23))


def near_pairs(one_B23: Tensor, other_B23: Tensor, side: int, ratio: float) -> Tensor:
    """Places of two views that lie nearer, in the image, than ``ratio`` of the larger view's diagonal of a cell.

    Args:
        one_B23, other_B23: where the views were cut, see ``trainables.batches.places``.
        side: cells to a side of a view.
        ratio: above 0.

    Returns:
        Bool (B, one's cells, the other's cells), row by row.
    """
    distance_BNN = torch.cdist(centres(one_B23, side), centres(other_B23, side))
    diagonal_B = torch.maximum(_diagonal(one_B23, side), _diagonal(other_B23, side))
    return distance_BNN < ratio * diagonal_B[:, None, None]


def _diagonal(placed_B23: Tensor, side: int) -> Tensor:
    """Length of a cell's diagonal, in the image's coordinates."""
    return 2 / side * placed_B23[:, :, :2].square().sum(dim=(1, 2)).sqrt()


def mean_at(one_BEN: Tensor, other_BEN: Tensor, near_BNN: Tensor) -> Tensor:
    """Mean over the images of the mean cosine of near places of length 1; 0 for an image without any."""
    cosine_BNN = one_BEN.transpose(1, 2) @ other_BEN
    near = near_BNN.to(cosine_BNN.dtype)
    return ((cosine_BNN * near).sum(dim=(1, 2)) / near.sum(dim=(1, 2)).clamp_min(1.0)).mean()

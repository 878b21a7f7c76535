"""The places of an image that a caption speaks of (DreamLIP's grouping, Zheng et al. 2024)."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.language.pairs import Pairs, contrast, paired
from trainables.language.texts import LARGEST_SCALE


class Places(nn.Module):
    """CLIP's loss between each caption and the mean of the places that it is like, under a scale of its own.

    The authors' code compares a caption with the other captions of its own images, too; here, as in the sum of their
    paper, those of one round are compared, so that captions in two languages are not told apart.

    Args:
        temperature: 1 / scale at the start.
        threshold: likeness, from 0 of the least like place to 1 of the most, below which a place has no share.

    Raises:
        ValueError: a value out of range.
    """

    def __init__(self, *, temperature: float, threshold: float) -> None:
        super().__init__()
        if not 0 <= threshold <= 1:
            raise ValueError(f"clip.threshold is in [0, 1], given {threshold}")
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))
        self._threshold = threshold

    @torch.no_grad()
    def _bound(self) -> None:
        """Keep the scale at most CLIP's largest."""
        self.log_scale.clamp_(max=math.log(LARGEST_SCALE))

    def forward(self, place_BPE: Tensor, pairs: Sequence[Pairs], kind_B: Tensor | None, parts: int) -> Tensor:
        """The mean over captions.

        Args:
            place_BPE: directions of the places of this worker's images.
            pairs: a caption of each image, several times.
            kind_B, parts: as in ``paired``.
        """
        if self.training:
            self._bound()
        losses = []
        for own in pairs:
            share_BP = shares(place_BPE, own.text_BE, self._threshold)
            grouped_BE = F.normalize((share_BP[:, :, None] * place_BPE).sum(dim=1), dim=1)
            there_B = own.there_N[own.first : own.first + len(grouped_BE)]
            of_places = paired(grouped_BE, own.text_BE, there_B, self.log_scale.exp(), kind_B=kind_B, parts=parts)
            losses.append(contrast(of_places))
        return torch.stack(losses).mean()


def shares(place_BPE: Tensor, text_BE: Tensor, threshold: float) -> Tensor:
    """How much each place counts for a text, (B, P), 1 in all: its cosine between the least and the largest.

    Below the threshold it counts nothing. Where all places are equally like the text they share evenly.
    """
    cosine_BP = (place_BPE * text_BE[:, None]).sum(dim=2)
    low_B1, high_B1 = cosine_BP.amin(dim=1, keepdim=True), cosine_BP.amax(dim=1, keepdim=True)
    range_B1 = high_B1 - low_B1
    flat_B1 = range_B1 < torch.finfo(cosine_BP.dtype).eps
    like_BP = torch.where(flat_B1, 1.0, (cosine_BP - low_B1) / torch.where(flat_B1, 1.0, range_B1))
    counted_BP = like_BP * (like_BP >= threshold)
    return counted_BP / counted_BP.sum(dim=1, keepdim=True)

"""The places of an image that a caption speaks of (DreamLIP's grouping, Zheng et al. 2024)."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.language.pairs import Pairs, contrast, everywhere, paired, told_apart
from trainables.language.texts import LARGEST_SCALE

GROUPED_FOR = ("every", "own")


class Places(nn.Module):
    """CLIP's loss between each caption and the mean of the places that it is like, under a scale of its own.

    The places of an image are grouped for every caption that it is compared with, so that all have the same choice. The
    paper groups them for the image's ``own`` caption and compares that mean with all others: whoever chooses places by
    the right caption has told which it is, and where places differ enough the loss falls without anything being
    recognised.

    The authors' code compares a caption with the other captions of its own images, too; here, as in the sum of their
    paper, those of one round are compared, so that captions in two languages are not told apart.

    Args:
        temperature: 1 / scale at the start.
        threshold: likeness, from 0 of the least like place to 1 of the most, below which a place has no share.
        grouped_for: ``every`` caption, or the image's ``own``.

    Raises:
        ValueError: a value out of range.
    """

    def __init__(self, *, temperature: float, threshold: float, grouped_for: str = "every") -> None:
        super().__init__()
        if not 0 <= threshold <= 1 or grouped_for not in GROUPED_FOR:
            raise ValueError(
                f"clip.threshold is in [0, 1] and clip.grouped_for {' or '.join(GROUPED_FOR)}, given {threshold} and "
                f"'{grouped_for}'"
            )
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))
        self._threshold, self._own = threshold, grouped_for == "own"

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
        scale = self.log_scale.exp()
        losses = []
        for own in pairs:
            rows = slice(own.first, own.first + len(place_BPE))
            if self._own:
                text_B1E = own.text_BE[:, None]
                grouped_BE = F.normalize(grouped(place_BPE, text_B1E, self._threshold)[:, 0], dim=1)
                of_places = paired(grouped_BE, own.text_BE, own.there_N[rows], scale, kind_B=kind_B, parts=parts)
                losses.append(contrast(of_places))
                continue
            text_1NE = own.text_NE[None].expand(len(place_BPE), -1, -1)
            grouped_BNE = F.normalize(grouped(place_BPE, text_1NE, self._threshold), dim=2)
            score_BN = scale * (grouped_BNE * text_1NE).sum(dim=2)
            losses.append(told_apart(own, score_BN, everywhere(score_BN)[:, rows].T))
        return torch.stack(losses).mean()


def grouped(place_BPE: Tensor, text_BTE: Tensor, threshold: float) -> Tensor:
    """The mean of the places of each image that each text is like, (B, T, E); see ``shares``."""
    return shares(text_BTE @ place_BPE.transpose(1, 2), threshold) @ place_BPE


def shares(cosine_XP: Tensor, threshold: float) -> Tensor:
    """How much each place counts for a text, 1 in all places: its cosine between the least and the largest.

    Below the threshold it counts nothing. Where all places are equally like the text they share evenly.

    Args:
        cosine_XP: of places with a text, in the last dimension.
        threshold: in [0, 1].
    """
    low_X1, high_X1 = cosine_XP.amin(dim=-1, keepdim=True), cosine_XP.amax(dim=-1, keepdim=True)
    range_X1 = high_X1 - low_X1
    flat_X1 = range_X1 < torch.finfo(cosine_XP.dtype).eps
    like_XP = torch.where(flat_X1, 1.0, (cosine_XP - low_X1) / torch.where(flat_X1, 1.0, range_X1))
    counted_XP = like_XP * (like_XP >= threshold)
    return counted_XP / counted_XP.sum(dim=-1, keepdim=True)

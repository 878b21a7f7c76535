"""How images and their texts are told apart: CLIP's loss and what others make of its targets."""

from dataclasses import dataclass

import torch
import torch.distributed as dist
from lightly.utils.dist import gather, world_size
from torch import Tensor

LEAST_SHARE = 1e-8
"""Added to targets whose logarithm is taken, as in PLIP's code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Images of this worker and a text of each, with those of all workers.

    Attributes:
        image_BE, text_BE: directions of this worker's.
        image_NE, text_NE: of all workers', with gradients.
        there_N: which images have a text; the others take no part.
        kind_N: images and texts of one number belong together; different for all in CLIP.
        part_N: number of the part of the batch that each is told apart in.
        first: of all rows the one at which this worker's begin.
        workers: how many.
        scale: of the cosines.
    """

    image_BE: Tensor
    text_BE: Tensor
    image_NE: Tensor
    text_NE: Tensor
    there_N: Tensor
    kind_N: Tensor
    part_N: Tensor
    first: int
    workers: int
    scale: Tensor


def paired(
    image_BE: Tensor, text_BE: Tensor, there_B: Tensor, scale: Tensor, *, kind_B: Tensor | None = None, parts: int = 1
) -> Pairs:
    """The pairs of a batch, over all workers.

    Args:
        image_BE, text_BE: directions.
        there_B: which images have a text.
        scale: of the cosines.
        kind_B: see ``Pairs``; -1 for an image that is of no kind but its own; None for all such.
        parts: that the batch is cut into, each told apart in itself.
    """
    workers = world_size() if dist.is_initialized() else 1
    there_N = everywhere(there_B)
    row_N = torch.arange(len(there_N), device=there_N.device)
    kind_N = torch.full_like(row_N, -1) if kind_B is None else everywhere(kind_B)
    return Pairs(
        image_BE=image_BE,
        text_BE=text_BE,
        image_NE=everywhere(image_BE),
        text_NE=everywhere(text_BE),
        there_N=there_N,
        kind_N=torch.where(kind_N < 0, -1 - row_N, kind_N),
        part_N=row_N * parts // len(row_N),
        first=len(image_BE) * dist.get_rank() if workers > 1 else 0,
        workers=workers,
        scale=scale,
    )


def everywhere(row_B: Tensor) -> Tensor:
    """The rows of all workers, with gradients where there are any."""
    if not dist.is_initialized() or world_size() == 1:
        return row_B
    return torch.cat(gather(row_B.contiguous()))


def share_of(there_B: Tensor) -> Tensor:
    """Of a worker's sum over its rows that are there: the mean of this over workers is the mean over all their rows."""
    everyone_B = everywhere(there_B)
    share: Tensor = len(everyone_B) / len(there_B) / everyone_B.sum().clamp_min(1)
    return share


def contrast(pairs: Pairs, *, direction: float = 0.5, smoothing: float = 0.0, matching: bool = False) -> Tensor:
    """Cross-entropy of telling each image's texts from all others, and each text's images.

    With the defaults and no two of a kind it is CLIP's (Radford et al. 2021). Texts of one kind share the target
    evenly, as in UniCL; where they are the same text this changes nothing. Its mean over workers is that of all rows.

    Args:
        pairs: the images and texts.
        direction: weight of finding texts of images; the rest is that of finding images of texts (ConVIRT).
        smoothing: share of the target that all texts, or images, have together (ALIGN).
        matching: whether the loss is the divergence of what is found from the target, in place of the cross-entropy
            (PLIP's matching). The authors divide a target by its length, so that one of two images sums to 1.41; here
            each sums to 1.
    """
    return told_apart(
        pairs,
        pairs.scale * pairs.image_BE @ pairs.text_NE.T,
        pairs.scale * pairs.text_BE @ pairs.image_NE.T,
        direction=direction,
        smoothing=smoothing,
        matching=matching,
    )


def told_apart(
    pairs: Pairs,
    text_of_image_BN: Tensor,
    image_of_text_BN: Tensor,
    *,
    direction: float = 0.5,
    smoothing: float = 0.0,
    matching: bool = False,
) -> Tensor:
    """``contrast`` of scores that others have made.

    Args:
        pairs: says which images and texts belong together, and which take part.
        text_of_image_BN: score of every text for each of this worker's images.
        image_of_text_BN: score of every image for each of this worker's texts.
        direction, smoothing, matching: as in ``contrast``.
    """
    losses = []
    if direction > 0:
        losses.append(direction * _found(pairs, text_of_image_BN, smoothing, matching))
    if direction < 1:
        losses.append((1 - direction) * _found(pairs, image_of_text_BN, smoothing, matching))
    return torch.stack(losses).sum()


def _found(pairs: Pairs, score_BN: Tensor, smoothing: float, matching: bool) -> Tensor:
    own = slice(pairs.first, pairs.first + len(score_BN))
    there_BN = pairs.there_N & (pairs.part_N[own, None] == pairs.part_N)
    right_BN = (there_BN & (pairs.kind_N[own, None] == pairs.kind_N)).to(score_BN.dtype)
    share_BN = right_BN / right_BN.sum(dim=1, keepdim=True).clamp_min(1.0)
    if smoothing:
        even_BN = there_BN.to(score_BN.dtype) / there_BN.sum(dim=1, keepdim=True).clamp_min(1)
        share_BN = (1 - smoothing) * share_BN + smoothing * even_BN
    score_BN = score_BN.masked_fill(~there_BN, -torch.inf)
    # A row without a text has none to be found, so that all its scores may be out.
    score_BN = torch.where(pairs.there_N[own, None], score_BN, 0.0)
    log_BN = score_BN.log_softmax(dim=1)
    finite_BN = log_BN.masked_fill(~there_BN, 0.0)
    if matching:
        loss_B = (log_BN.exp() * (finite_BN - (share_BN + LEAST_SHARE).log())).sum(dim=1)
    else:
        loss_B = -(share_BN * finite_BN).sum(dim=1)
    counted = pairs.there_N.sum().clamp_min(1) / pairs.workers
    return (loss_B * pairs.there_N[own]).sum() / counted


@torch.no_grad()
def found_first(pairs: Pairs) -> Tensor:
    """Share of this worker's images of which no text has a larger cosine than a right one."""
    own = slice(pairs.first, pairs.first + len(pairs.image_BE))
    cosine_BN = (pairs.image_BE @ pairs.text_NE.T).masked_fill(~pairs.there_N, -torch.inf)
    nearest_BN = cosine_BN == cosine_BN.amax(dim=1, keepdim=True)
    right_B = (nearest_BN & (pairs.kind_N[own, None] == pairs.kind_N)).any(dim=1)
    there_B = pairs.there_N[own]
    return (right_B & there_B).sum() / there_B.sum().clamp_min(1)

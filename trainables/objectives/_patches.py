"""Images as rows of patches: what masked autoencoders predict."""

import torch.nn.functional as F
from torch import Tensor

VARIANCE_FLOOR = 1e-6


def patches(image_BCHW: Tensor, patch: int) -> Tensor:
    """Patches of an image row by row, (B, n, C patch patch); a rim that fills none is filled with its last pixels."""
    missing = [(-side) % patch for side in image_BCHW.shape[-2:]]
    padded_BCHW = F.pad(image_BCHW, (0, missing[1], 0, missing[0]), mode="replicate")
    return F.unfold(padded_BCHW, patch, stride=patch).transpose(1, 2)


def painted(patch_BND: Tensor, patch: int, side: int) -> Tensor:
    """The square image (B, C, side, side) of all patches: the inverse of ``patches``."""
    padded = -(-side // patch) * patch
    image_BCHW = F.fold(patch_BND.transpose(1, 2), (padded, padded), patch, stride=patch)
    return image_BCHW[..., :side, :side]


def normalised(patch_BND: Tensor) -> Tensor:
    """Each patch less its mean, over the root of its unbiased variance plus 1e-6, as MAE and CroCo have it."""
    variance_BN1 = patch_BND.var(dim=-1, keepdim=True)
    return (patch_BND - patch_BND.mean(dim=-1, keepdim=True)) / (variance_BN1 + VARIANCE_FLOOR).sqrt()


def at(row_BND: Tensor, place_BM: Tensor) -> Tensor:
    """The rows of these places, (B, M, D)."""
    return row_BND.gather(1, place_BM[:, :, None].expand(-1, -1, row_BND.shape[-1]))

"""Selfie: for each hidden patch of an image, which of the image's hidden patches belongs there."""

from collections.abc import Mapping
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.deploy import Backbone, Deployable
from trainables.objectives._freezing import freeze_unused
from trainables.objectives._patch_decoder import HEAD_WIDTH, check_width, mask_token, self_attention
from trainables.objectives._patches import at
from trainables.objectives._views import random_mask
from trainables.objectives._visible import check_share, split
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/1906.02940"
LABELS = False
SUPPORTS = ("map", "tokens")
COMPARES = None
SOURCE = "own"
PER_WORKER = "each worker draws the masks of its own images"
FIXED_SIDE = False
ON_FEATURES = False
NEEDS = ()
ORDERS = ()
AT_MOST = ()


def passes(**knobs: object) -> float:
    """Every patch of an image once, alone."""
    del knobs
    return 1.0


def objective(
    network: Deployable, *, masked: float = 0.6, grid: int = 4, width: int = 64, pool_depth: int = 1
) -> nn.Module:
    """Cross-entropy of picking each hidden patch among the image's hidden ones.

    The whole backbone is the paper's patch network: it sees each patch as a small image, so every backbone that takes
    several sizes will do. The vectors of the patches shown are pooled by attention; with the embedding of a hidden
    place they ask for the patch there, by dot products over the root of the width, so that scores begin near uniform.
    Patches of two or three stored pixels show nothing that features of whole images could be made of
    (docs/components.md).

    Args:
        network: its classifier is frozen.
        masked: share of the patches that is hidden, rounded, but at least two and not all.
        grid: patches to a side of the image, which is enlarged to whole patches.
        width: of patch vectors and pooling, in heads of 16.
        pool_depth: blocks of attention before the vectors are pooled.

    Raises:
        ValueError: a share outside (0, 1), a single patch, or a width that heads do not fill.
    """
    check_share(masked, "objective 'selfie'")
    check_width(width, "objective 'selfie'")
    if grid < 2:
        raise ValueError(f"objective 'selfie': a grid has 2 patches to a side or more, given {grid}")
    return _Selfie(network, masked, grid, width, pool_depth)


class _Selfie(nn.Module):
    def __init__(self, network: Deployable, masked: float, grid: int, width: int, depth: int) -> None:
        super().__init__()
        self.network, self._side = network, grid
        self._hidden = min(max(2, round(masked * grid**2)), grid**2 - 1)
        self.embed = nn.Linear(network.width, width)
        self.position_ND = nn.Parameter(nn.init.trunc_normal_(torch.zeros(grid**2, width), std=0.02))
        self.summary = mask_token(width)
        self.blocks = nn.Sequential(*(self_attention(width) for _ in range(depth)))
        self.pool = nn.MultiheadAttention(width, width // HEAD_WIDTH, batch_first=True)
        self.norm, self.query = nn.LayerNorm(width, eps=1e-6), nn.Linear(width, width)
        freeze_unused(network, self.vectors)
        self._right, self._picks = torch.zeros(()), 0

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images."""
        image_BCHW = batch.image_BCHW
        mask_B1GG = random_mask(len(image_BCHW), self._side, self._hidden, generator)
        shown_BM, hidden_BH = (place.to(image_BCHW.device) for place in split(mask_B1GG.flatten(1)))
        score_BHH = self.scores(self.vectors(image_BCHW), shown_BM, hidden_BH)
        own_BH = torch.arange(self._hidden, device=score_BHH.device).expand(len(score_BHH), -1)
        self._right = self._right.to(score_BHH.device) + (score_BHH.detach().argmax(-1) == own_BH).sum()
        self._picks += own_BH.numel()
        return F.cross_entropy(score_BHH.flatten(0, 1), own_BH.flatten())

    def vectors(self, image_BCHW: Tensor) -> Tensor:
        """Vectors (B, N, D) of all patches, each seen alone."""
        side = -(-self.network.resolution // self._side)
        seen_BCHW = self.network.prepared(image_BCHW, side=side * self._side)
        patch_BNCHW = seen_BCHW.unfold(2, side, side).unfold(3, side, side).flatten(2, 3).transpose(1, 2)
        features = cast(Backbone, self.network.network).forward_features(patch_BNCHW.flatten(0, 1))
        pooled_MF = self.network.pooled_from(features)
        vector_BND: Tensor = self.embed(pooled_MF.reshape(len(image_BCHW), -1, pooled_MF.shape[-1]))
        return vector_BND

    def scores(self, vector_BND: Tensor, shown_BM: Tensor, hidden_BH: Tensor) -> Tensor:
        """Of each hidden place (rows) for each hidden patch (columns), (B, H, H)."""
        position_BND = self.position_ND.to(vector_BND.dtype).expand(len(vector_BND), -1, -1)
        known_BMD = self.blocks(at(vector_BND + position_BND, shown_BM))
        pooled_B1D = self.pool(self.summary.expand(len(vector_BND), 1, -1), known_BMD, known_BMD, need_weights=False)[0]
        query_BHD = self.query(self.norm(pooled_B1D + at(position_BND, hidden_BH)))
        score_BHH: Tensor = query_BHD @ at(vector_BND, hidden_BH).transpose(1, 2) / vector_BND.shape[-1] ** 0.5
        return score_BHH

    def watched(self) -> dict[str, float]:
        """``picked``: share of the epoch's hidden places whose patch had the highest score; 1 over them by chance."""
        share = float(self._right) / max(self._picks, 1)
        self._right, self._picks = torch.zeros(()), 0
        return {"picked": share}

    def trouble(self, values: Mapping[str, float]) -> str | None:
        """None: vectors that are alike pick no better than chance, which the loss shows."""
        del values
        return None

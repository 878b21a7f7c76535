"""The singular values of frozen features: how many directions carry them.

Chen et al. 2024: noise in the labels of pretraining raises the entropy of the values, which costs little on like data,
and lowers the largest one's share, which goes with worse features on other data.
"""

import torch
from torch import Tensor

from trainables.assess import Assessment, Measure, pooled, some
from trainables.deploy import Deployable
from trainables.splits import Splits

PAPER = "https://arxiv.org/abs/2309.17002"
BETTER = {"entropy": "none", "largest": "none", "effective_rank": "none"}
NEEDS = ()
SCORES = ()
TEXTS = False
IN_SEARCH: dict[str, int] = {}


def assess(network: Deployable, splits: Splits, *, seed: int = 0, most: int = 2_000) -> Assessment:
    """Entropy of the normalised singular values, the largest one's share, and the number of even ones of that entropy.

    Args:
        network: whose pooled features are judged.
        splits: its data.
        seed: nothing is drawn.
        most: images at most.
    """
    del seed
    images = some(splits.test, most)
    share_F = shares(pooled(network, images).double())
    entropy = torch.special.entr(share_F).sum()
    values = {"entropy": entropy, "largest": share_F.max(), "effective_rank": entropy.exp()}
    return Assessment(
        measures=tuple(Measure(metric=name, value=float(value), count=len(images)) for name, value in values.items())
    )


def shares(feature_NF: Tensor) -> Tensor:
    """Singular values of features over their sum, largest first."""
    value_F: Tensor = torch.linalg.svdvals(feature_NF)
    return value_F / value_F.sum().clamp(min=1e-12)

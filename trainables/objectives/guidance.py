"""Guidance: each layer of a network is to be like a layer of a guide's, whose design or training it lacks.

Subramaniam et al. 2024. Alike is linear centred kernel alignment of what both make of a batch: neither rotation nor
scale of a layer matters, so any two networks can be compared. A guide with random weights (``untrained:MODEL``) says
only what its design says.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.maps import scores_and_maps
from trainables.objectives._teaching import one_pass
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/2410.20035"
LABELS = True
SUPPORTS = ("map", "tokens")
COMPARES = "features"
SOURCE = "own"
PER_WORKER = "each worker compares layers over its own images"
FIXED_SIDE = False
ON_FEATURES = False
NEEDS = ()
ORDERS = ()
AT_MOST = ()
passes = one_pass


def objective(
    network: Deployable,
    *,
    teacher: nn.Module,
    distillation_weight: float = 1.0,
    label_weight: float = 1.0,
    temperature: float = 1.0,
) -> nn.Module:
    """``distillation_weight`` (1 - mean CKA over layers) + ``label_weight`` cross-entropy.

    Layers are the network's maps by stage (or block, where it has no stages), each matched with the guide's at the same
    relative depth. The alignment of few images is too high by chance: of independent features of width 256 it is .79
    over 64 images, so what is watched is the form without that bias.

    Args:
        network: whose maps of every stage can be had.
        teacher: the guide, one network in evaluation mode; neither trained nor kept in checkpoints. Its classes may be
            others.
        distillation_weight: of the guidance.
        label_weight: of the cross-entropy with the targets, above 0: nothing else trains the classifier.
        temperature: there is none, so only 1 is taken.

    Raises:
        ValueError: a guide whose layers cannot be had, a temperature, or no weight for the labels.
    """
    if not isinstance(teacher, Deployable) or not hasattr(teacher.network, "forward_intermediates"):
        raise ValueError(
            "guidance compares layers, which stored targets, ensembles and networks without forward_intermediates do "
            f"not give: give it one teacher without stored targets, not {type(teacher).__name__}"
        )
    if temperature != 1.0 or not label_weight > 0 or distillation_weight < 0:
        raise ValueError(
            "guidance takes temperature 1, a label_weight above 0 and a distillation_weight of at least 0, given "
            f"{temperature}, {label_weight} and {distillation_weight}"
        )
    return _Guided(network, teacher, distillation_weight, label_weight)


def matched(own: int, guide: int) -> list[int]:
    """Number of the guide's layer at the relative depth of each of one's own layers, both counted from 0."""
    if own == 1:
        return [guide - 1]
    return [round(layer * (guide - 1) / (own - 1)) for layer in range(own)]


def alignment(one_BF: Tensor, other_BG: Tensor) -> Tensor:
    """Linear centred kernel alignment in [0, 1] (Kornblith et al. 2019), by similarities between images."""
    one_BB, other_BB = _centred(one_BF @ one_BF.T), _centred(other_BG @ other_BG.T)
    alike: Tensor = (one_BB * other_BB).sum() / (one_BB.norm() * other_BB.norm()).clamp(min=1e-12)
    return alike


def unbiased_alignment(one_BF: Tensor, other_BG: Tensor) -> Tensor:
    """The same by the unbiased estimator of dependence (Song et al. 2012): about 0 of independent features."""
    one_BB, other_BB = (_without_diagonal(rows @ rows.T) for rows in (one_BF, other_BG))
    own, others = dependence(one_BB, one_BB), dependence(other_BB, other_BB)
    alike: Tensor = dependence(one_BB, other_BB) / (own * others).clamp(min=1e-12).sqrt()
    return alike


def dependence(one_BB: Tensor, other_BB: Tensor) -> Tensor:
    """Unbiased HSIC of two matrices of similarities whose diagonals are 0, of more than three images."""
    count = len(one_BB)
    both = (one_BB * other_BB).sum()
    means = one_BB.sum() * other_BB.sum() / ((count - 1) * (count - 2))
    rows = 2 * (one_BB.sum(1) * other_BB.sum(1)).sum() / (count - 2)
    value: Tensor = (both + means - rows) / (count * (count - 3))
    return value


def _centred(similarity_BB: Tensor) -> Tensor:
    rows_BB = similarity_BB - similarity_BB.mean(dim=0, keepdim=True)
    return rows_BB - rows_BB.mean(dim=1, keepdim=True)


def _without_diagonal(similarity_BB: Tensor) -> Tensor:
    return similarity_BB - torch.diag(similarity_BB.diagonal())


class _Guided(nn.Module):
    def __init__(self, network: Deployable, guide: Deployable, weight: float, label_weight: float) -> None:
        super().__init__()
        self.network = network
        self._guide = (guide,)  # in a tuple, so that it is no submodule: it keeps its mode and is not saved
        self._weight, self._label_weight = weight, label_weight
        self._alike = 0.0

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss; draws nothing."""
        del generator
        score_BK, own = scores_and_maps(self.network, batch.image_BCHW)
        loss: Tensor = self._label_weight * F.cross_entropy(score_BK, batch.target_BK)
        if not self._weight:
            return loss
        with torch.no_grad():
            _, guiding = scores_and_maps(self._guide[0], batch.image_BCHW)
        layers = matched(len(own), len(guiding))
        pairs = [(map_.flatten(1), guiding[layer].flatten(1)) for map_, layer in zip(own, layers, strict=True)]
        with torch.no_grad():
            self._alike = float(torch.stack([unbiased_alignment(*pair) for pair in pairs]).mean())
        return loss + self._weight * (1 - torch.stack([alignment(*pair) for pair in pairs]).mean())

    def watched(self) -> dict[str, float]:
        """``alignment``: the unbiased one of the epoch's last batch, mean over layers."""
        return {"alignment": self._alike}

    def trouble(self, values: Mapping[str, float]) -> str | None:
        """None: labels train it, too."""
        del values
        return None

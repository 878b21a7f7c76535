"""SelfCon: a branch from an earlier stage is an image's second view in supervised contrast (Bae et al. 2021).

ImagiNet trains detectors of generated images so, with the generator as a second level of labels.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from lightly.utils.dist import gather, world_size
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.maps import features_and_maps
from trainables.objectives._collapse import Spread, alike
from trainables.objectives._freezing import freeze_unused
from trainables.objectives._projection import Projection
from trainables.objectives._queue import gathered, own_rows
from trainables.objectives._views import Views
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/2407.20020"
LABELS = True
SUPPORTS = ("map", "tokens")
COMPARES = None
SOURCE = "own"
PER_WORKER = None
FIXED_SIDE = False
ON_FEATURES = False
NEEDS = (("level_weight", "level"),)
ORDERS = ()
AT_MOST = ()


def passes(**knobs: object) -> float:
    """One view an image."""
    del knobs
    return 1.0


def objective(
    network: Deployable,
    *,
    before: int = 1,
    temperature: float = 0.07,
    level_weight: float = 0.0,
    layers: int = 2,
    width: int = 64,
    crop: float = 0.6,
    jitter: float = 0.2,
    flip: float = 0.0,
    colour: str = "none",
) -> nn.Module:
    """Supervised contrast over pooled features and a branch, by class, and by ``level`` among images that have one.

    Args:
        network: whose pooled features are trained; its classifier is frozen.
        before: the branch leaves so many stages before the last (blocks, of a network without stages).
        temperature: divides the cosines; ImagiNet has 0.07.
        level_weight: of the second level of labels; above 0 it needs the field ``level``.
        layers, width: of the projections, see ``trainables.objectives._projection``; the branch's is linear.
        crop, jitter, flip, colour: of the view, see ``trainables.objectives._views``.

    Raises:
        ValueError: a value out of range, or fewer stages than ``before`` needs.
    """
    if before < 1 or not temperature > 0 or level_weight < 0:
        raise ValueError(
            "selfcon: before is at least 1, temperature above 0 and level_weight at least 0, given "
            f"{before}, {temperature} and {level_weight}"
        )
    head = Projection(network.width, width=width, layers=layers, kappa=1.0, norm=False)
    return _SelfCon(
        network, head, Views(crop=crop, jitter=jitter, flip=flip, colour=colour), before, temperature, level_weight
    )


def supervised_contrast(
    own_NE: Tensor, own_N: Tensor, all_ME: Tensor, all_M: Tensor, itself_N: Tensor, temperature: float
) -> Tensor:
    """Mean over anchors of -log softmax over all others, averaged over those of the same label (Khosla et al. 2020).

    Args:
        own_NE, own_N: anchors, of length 1, and their labels.
        all_ME, all_M: what they are compared with, the anchors among them.
        itself_N: the row of each anchor there.
        temperature: divides the cosines.
    """
    other_NM = torch.ones(len(own_NE), len(all_ME), dtype=torch.bool, device=own_NE.device)
    other_NM.scatter_(1, itself_N[:, None], False)
    log_NM = (own_NE @ all_ME.T / temperature).masked_fill(~other_NM, -torch.inf).log_softmax(dim=1)
    mate_NM = (own_N[:, None] == all_M) & other_NM
    sum_N = torch.where(mate_NM, log_NM, 0.0).sum(dim=1)
    return -(sum_N / mate_NM.sum(dim=1).clamp_min(1)).mean()


class _SelfCon(nn.Module):
    def __init__(
        self, network: Deployable, head: Projection, views: Views, before: int, temperature: float, level_weight: float
    ) -> None:
        super().__init__()
        self.network = network
        freeze_unused(network, network.pooled)
        with torch.no_grad():
            _, maps = features_and_maps(network, network.blank())
        if len(maps) <= before:
            raise ValueError(
                f"selfcon.before is {before}, but the network has {len(maps)} stages; use at most {len(maps) - 1}"
            )
        self.head, self.branch = head, nn.Linear(maps[-1 - before].shape[1], head.outputs)
        self._views, self._before, self._temperature, self._level_weight = views, before, temperature, level_weight
        self._spread = Spread()

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images."""
        image_BCHW = self._views.of(batch.image_BCHW, generator, number=0)
        features, maps = features_and_maps(self.network, image_BCHW)
        pooled_BF = self.network.pooled_from(features)
        whole_BE = F.normalize(self.head(pooled_BF))
        branch_BE = F.normalize(self.branch(maps[-1 - self._before].mean(dim=(2, 3))))
        if self.training:
            self._spread.note(pooled_BF, whole_BE)
        loss = self._contrast(whole_BE, branch_BE, batch.target_BK.argmax(dim=1))
        if not self._level_weight:
            return loss
        return loss + self._level_weight * self._contrast(whole_BE, branch_BE, batch.fields["level"])

    def _contrast(self, whole_BE: Tensor, branch_BE: Tensor, label_B: Tensor) -> Tensor:
        """Among images of all workers whose label is known, which have the same number on each worker on average."""
        own_2BE, label_2B = torch.cat([whole_BE, branch_BE]), label_B.repeat(2)
        several = torch.distributed.is_initialized() and world_size() > 1
        all_ME = torch.cat(gather(own_2BE)) if several else own_2BE
        all_M = gathered(label_2B)
        itself_N = own_rows(len(own_2BE), own_2BE.device)
        known_N, known_M = label_2B >= 0, all_M >= 0
        place_M = known_M.cumsum(0) - 1
        if not known_M.any():
            return 0.0 * own_2BE.sum()
        loss = supervised_contrast(
            own_2BE[known_N], label_2B[known_N], all_ME[known_M], all_M[known_M], place_M[itself_N[known_N]],
            self._temperature,
        )  # fmt: skip
        # A mean over the known of all workers, of which this one has a share.
        share = known_N.sum() * (world_size() if several else 1) / known_M.sum()
        return loss * share if known_N.any() else 0.0 * own_2BE.sum()

    def watched(self) -> dict[str, float]:
        """Of the last batch: ranks before and after the projection, and its spread."""
        return self._spread.values()

    def trouble(self, values: Mapping[str, float]) -> str | None:
        """That all projections are alike, if so."""
        return alike("selfcon", values)

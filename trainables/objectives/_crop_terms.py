"""Terms of ``dino``: what a student and its teacher, who saw crops of the same images, are to agree on.

A term's heads are trained on the student's side and followed on the teacher's. ``crop_head`` of V crops, of which the
first two are large, is ``seen.student[v]``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from lightly.loss import IBOTPatchLoss, KoLeoLoss
from lightly.models.modules.center import Center
from lightly.models.modules.heads import ProjectionHead
from torch import Tensor, nn

from trainables.objectives._collapse import Use
from trainables.objectives._following import Follower
from trainables.objectives._projection import Block
from trainables.objectives._queue import Queue, told_apart

LARGE = 2
"""Large crops, which are the first, and the only ones that the teacher sees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What student and teacher made of V crops of a batch.

    Attributes:
        student: pooled features of each crop, V of (B, F).
        teacher: those of the large ones, without gradients.
        student_places, teacher_places: means of the features over all places, V and two of (B, G).
        student_map, teacher_map: of the large crops, one after the other, (2B, G, h, w).
        hidden_NHW: places of the large crops that the student did not see, bool (2B, h, w); None for none.
        together: consecutive images that show the same thing, so many to a group.
        progress: share of the schedule before this step.
    """

    student: Sequence[Tensor]
    teacher: Sequence[Tensor]
    student_places: Sequence[Tensor]
    teacher_places: Sequence[Tensor]
    student_map: Tensor
    teacher_map: Tensor
    hidden_NHW: Tensor | None
    together: int
    progress: float


class Head(nn.Module):
    """Two hidden layers, a direction of ``bottleneck`` numbers, and its cosines with prototypes, as DINO's head."""

    def __init__(self, inputs: int, width: int, bottleneck: int, prototypes: int) -> None:
        super().__init__()
        self.layers = mlp(inputs, width, bottleneck)
        self.prototypes = nn.Linear(bottleneck, prototypes, bias=False)

    def forward(self, feature_BF: Tensor) -> Tensor:
        """Cosines, shape (B, P)."""
        return F.linear(F.normalize(self.layers(feature_BF)), F.normalize(self.prototypes.weight))


def mlp(inputs: int, width: int, outputs: int) -> nn.Module:
    """Two hidden layers with batch normalisation and GELU, and a linear one.

    The papers have no normalisation for transformers; in short trainings the heads of small networks need it.
    """
    layers: list[Block] = [(before, width, nn.BatchNorm1d(width), nn.GELU()) for before in (inputs, width)]
    head: nn.Module = ProjectionHead([*layers, (width, outputs, None, None)]).layers
    return head


class Term(nn.Module):
    """A term of the loss: heads of the student, and the teacher's, which follow them."""

    def __init__(self, *heads: nn.Module) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)
        self.teacher = Follower(*heads)

    def follow(self, momentum: float) -> None:
        """Move the teacher's heads, before a step."""
        self.teacher.follow(*self.heads, momentum=momentum)

    def forward(self, seen: Seen) -> Tensor:
        """The loss of this worker's images."""
        raise NotImplementedError

    def watched(self) -> dict[str, float]:
        """Figures of the epoch, by which a collapse is seen."""
        return {}


def over_crops(pair_TV: Tensor, *, balanced: bool) -> Tensor:
    """Mean of losses by the teacher's crop and the student's, (2, V) or (2, V, ...), without those of the same crop.

    Args:
        pair_TV: the losses.
        balanced: whether large and small crops have a half each, as in Mugs, in place of all pairs alike.
    """
    large = (pair_TV[0, 1] + pair_TV[1, 0]) / 2
    small = pair_TV.shape[1] - LARGE
    if not small:
        return large
    if balanced:
        return (large + pair_TV[:, LARGE:].flatten(0, 1).mean(dim=0)) / 2
    return (2 * large + pair_TV[:, LARGE:].flatten(0, 1).sum(dim=0)) / (2 + 2 * small)


class Clusters(Term):
    """DINO's: the student gives each image the teacher's distribution over prototypes, centred and sharper.

    Among P images of a group, every image's teacher also teaches the others (CION, Zuo et al. 2024): the mean over one
    loss of own crops and P(P-1) of ordered pairs.
    """

    def __init__(
        self,
        inputs: int,
        *,
        width: int,
        prototypes: int,
        student_temperature: float,
        teacher_temperature: tuple[float, float],
        warmup: float,
        balanced: bool,
    ) -> None:
        super().__init__(Head(inputs, width, width, prototypes))
        self.centre = Center((1, 1, prototypes))
        self._student, self._teacher, self._warmup = student_temperature, teacher_temperature, warmup
        self._balanced, self._use = balanced, Use(prototypes)

    def temperature(self, progress: float) -> float:
        """The teacher's, which goes evenly from its first to its last value in the first share of the schedule."""
        first, last = self._teacher
        return last if progress >= self._warmup else first + (last - first) * progress / self._warmup

    def forward(self, seen: Seen) -> Tensor:
        """Mean over pairs of crops, and over those of a group."""
        count = len(seen.student[0])
        score_NP: Tensor = self.heads[0](torch.cat(list(seen.student)))
        score_VBP = score_NP.reshape(-1, count, score_NP.shape[1])
        with torch.no_grad():
            target_NP: Tensor = self.teacher.copies[0](torch.cat(list(seen.teacher)))
            target_TBP = target_NP.reshape(-1, count, target_NP.shape[1])
            share_TBP = ((target_TBP - self.centre.value) / self.temperature(seen.progress)).softmax(dim=2)
        if self.training:
            self.centre.update(target_TBP)
            self._use.note(share_TBP.flatten(0, 1))
        log_VBP = (score_VBP / self._student).log_softmax(dim=2)
        return over_crops(in_groups(share_TBP, log_VBP, seen.together), balanced=self._balanced)

    def watched(self) -> dict[str, float]:
        """Entropies of the teacher's use of the prototypes."""
        return self._use.values()


def in_groups(share_TBP: Tensor, log_VBP: Tensor, together: int) -> Tensor:
    """Cross-entropies by crop of the teacher and of the student (T, V): own images, and ordered pairs of a group."""
    share_TGIP = share_TBP.reshape(len(share_TBP), -1, together, share_TBP.shape[2])
    log_VGIP = log_VBP.reshape(len(log_VBP), -1, together, log_VBP.shape[2])
    pair_TVIJ = -torch.einsum("tgip,vgjp->tvij", share_TGIP, log_VGIP) / share_TGIP.shape[1]
    own_TV: Tensor = pair_TVIJ.diagonal(dim1=2, dim2=3).mean(dim=2)
    others_TV: Tensor = pair_TVIJ.sum(dim=(2, 3)) - own_TV * together
    return (own_TV + others_TV) / (together * (together - 1) + 1)


class Instances(Term):
    """Mugs' first: every crop is told from earlier images by the teacher's view of another large crop."""

    def __init__(self, inputs: int, *, width: int, queue: int, temperature: float, balanced: bool) -> None:
        super().__init__(mlp(inputs, width, width))
        self.queue = Queue(queue, width)
        self._temperature, self._balanced = temperature, balanced

    def forward(self, seen: Seen) -> Tensor:
        """Mean InfoNCE over pairs of crops."""
        own = [self.heads[0](feature_BF) for feature_BF in seen.student]
        with torch.no_grad():
            match = [self.teacher.copies[0](feature_BF) for feature_BF in seen.teacher]
        loss = pairs_told_apart(own, match, self.queue.row_QE.clone(), self._temperature, balanced=self._balanced)
        if self.training:
            self.queue.remember(torch.cat(match))
        return loss


def pairs_told_apart(
    own: Sequence[Tensor], match: Sequence[Tensor], other_QE: Tensor, temperature: float, *, balanced: bool
) -> Tensor:
    """Mean over pairs of crops of telling the student's from earlier images by the teacher's."""
    pair_TV = torch.stack(
        [torch.stack([told_apart(own_BE, match_BE, other_QE, temperature) for own_BE in own]) for match_BE in match]
    )
    return over_crops(pair_TV, balanced=balanced)


class Neighbours(Term):
    """Mugs' second: an image with its nearest earlier ones, through two layers of attention, is told from others."""

    def __init__(
        self, inputs: int, *, width: int, neighbours: int, queue: int, temperature: float, balanced: bool
    ) -> None:
        super().__init__(_Local(inputs, width), mlp(width, width, width))
        self.places = Queue(queue, inputs)
        self.queue = Queue(queue, width)
        self._neighbours, self._temperature, self._balanced = neighbours, temperature, balanced

    def forward(self, seen: Seen) -> Tensor:
        """Mean InfoNCE over pairs of crops."""
        near_QG, other_QE = self.places.row_QE.clone(), self.queue.row_QE.clone()

        def of(heads: nn.ModuleList, mean_BG: Tensor) -> Tensor:
            embedded: Tensor = heads[1](heads[0](F.normalize(mean_BG), near_QG, self._neighbours))
            return embedded

        own = [of(self.heads, mean_BG) for mean_BG in seen.student_places]
        with torch.no_grad():
            match = [of(self.teacher.copies, mean_BG) for mean_BG in seen.teacher_places]
        loss = pairs_told_apart(own, match, other_QE, self._temperature, balanced=self._balanced)
        if self.training:
            self.places.remember(torch.cat(list(seen.teacher_places)))
            self.queue.remember(torch.cat(match))
        return loss


class _Local(nn.Module):
    """What a vector is beside its nearest ones: its place in the output of a transformer of two layers."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Linear(inputs, width)
        self.layers = nn.ModuleList(
            [
                nn.TransformerEncoderLayer(
                    width, nhead=2, dim_feedforward=2 * width, dropout=0.0, batch_first=True, norm_first=True
                )
                for _ in range(2)
            ]
        )

    def forward(self, mean_BG: Tensor, near_QG: Tensor, count: int) -> Tensor:
        """From directions (B, G) and the directions of earlier images to (B, width)."""
        nearest_BK = (mean_BG.detach() @ near_QG.T).topk(count, dim=1).indices
        token_BTE = self.embed(torch.cat([mean_BG[:, None], near_QG[nearest_BK]], dim=1))
        for layer in self.layers:
            token_BTE = layer(token_BTE)
        first_BE: Tensor = token_BTE[:, 0]
        return first_BE


class Patches(Term):
    """iBOT's, as DINOv2 has it: at hidden places the student gives the teacher's distribution over prototypes."""

    def __init__(
        self, inputs: int, *, width: int, prototypes: int, student_temperature: float, teacher_temperature: float
    ) -> None:
        super().__init__(Head(inputs, width, width, prototypes))
        self.loss = IBOTPatchLoss(prototypes, teacher_temperature, student_temperature)

    def forward(self, seen: Seen) -> Tensor:
        """Mean over hidden places of an image, then over images."""
        hidden_NHW = seen.hidden_NHW
        assert hidden_NHW is not None
        score_MP = self.heads[0](seen.student_map.permute(0, 2, 3, 1)[hidden_NHW])
        with torch.no_grad():
            target_MP = self.teacher.copies[0](seen.teacher_map.permute(0, 2, 3, 1)[hidden_NHW])
        centre = self.loss.center.center
        loss: Tensor = self.loss(target_MP, score_MP, hidden_NHW)
        if not self.training:
            self.loss.center.center = centre
        return loss


class Spread(Term):
    """KoLeo, as DINOv2 has it: the nearest other image of a worker's batch is to be far, in each large crop."""

    def __init__(self) -> None:
        super().__init__()
        self._loss = KoLeoLoss()

    def follow(self, momentum: float) -> None:
        """Nothing: it has no heads."""

    def forward(self, seen: Seen) -> Tensor:
        """Mean over the large crops."""
        loss: Tensor = torch.stack([self._loss(feature_BF) for feature_BF in seen.student[:LARGE]]).mean()
        return loss


def figures(terms: Sequence[Term]) -> dict[str, float]:
    """What all terms watch."""
    return {name: value for term in terms for name, value in term.watched().items()}

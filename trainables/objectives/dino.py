"""DINO: a student learns what its moving average makes of other crops of an image; with the terms of Mugs and DINOv2.

Which terms take part is a matter of their weights. DINO is ``clusters`` alone; Mugs (https://arxiv.org/abs/2203.14415)
is ``clusters``, ``instances`` and ``neighbours`` with ``balanced`` crops; DINOv2, which RAD-DINO
(https://arxiv.org/abs/2401.10815) trains on radiographs, is ``clusters``, ``patches`` and a tenth of ``spread``.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from trainables.batches.order import Grouped
from trainables.deploy import Deployable
from trainables.maps import as_map, prefix_tokens, side_of, width_of
from trainables.objectives import _crop_terms as terms
from trainables.objectives._collapse import Spread, alike
from trainables.objectives._dense import features_of_places
from trainables.objectives._following import Follower, rising
from trainables.objectives._freezing import freeze_unused
from trainables.objectives._hiding import check_tokens, embedded_and_features, hiding
from trainables.objectives._views import Views
from trainables.plan import Batch, Order

PAPER = "https://arxiv.org/abs/2104.14294"
LABELS = False
SUPPORTS = ("map", "tokens")
COMPARES = None
SOURCE = "own"
PER_WORKER = None
FIXED_SIDE = False
ON_FEATURES = False
NEEDS = (("instances_per_group", "group"),)
ORDERS = (("instances_per_group", "instances_per_group"),)
AT_MOST = (("instances", "queue", 2), ("neighbours", "queue", 2))

SMALL_AREA = (0.05, 0.25)
"""Least and largest share of an image that a small crop shows."""
LEAST_INFORMATION = 0.001
"""What the teacher's prototypes say of images below which it collapsed: at a start it is some .003."""


def passes(*, crops: int = 0, **knobs: object) -> float:
    """Two large crops, small ones of a quarter of the pixels, and the teacher's two passes without gradients."""
    del knobs
    return 2.0 + crops / 4 + 2 / 3


def objective(
    network: Deployable,
    *,
    clusters: float = 1.0,
    instances: float = 0.0,
    neighbours: float = 0.0,
    patches: float = 0.0,
    spread: float = 0.0,
    prototypes: int = 64,
    student_temperature: float = 0.1,
    teacher_temperature: float = 0.04,
    first_temperature: float = 0.04,
    warmup: float = 0.3,
    balanced: bool = False,
    queue: int = 512,
    temperature: float = 0.2,
    nearest: int = 8,
    masked_least: float = 0.1,
    masked_most: float = 0.5,
    momentum: float = 0.9,
    keeps: str = "teacher",
    instances_per_group: int = 1,
    width: int = 64,
    crops: int = 0,
    crop: float = 0.4,
    jitter: float = 0.2,
    flip: float = 0.0,
    colour: str = "none",
) -> nn.Module:
    """Weighted sum of the terms, see ``trainables.objectives._crop_terms``; those of weight 0 are not built.

    Args:
        network: whose pooled features are trained; its classifier is frozen.
        clusters, instances, neighbours, patches, spread: weights of the terms. ``patches`` needs tokens.
        prototypes: of ``clusters`` and of ``patches``, each with its own.
        student_temperature: divides cosines with prototypes.
        teacher_temperature, first_temperature, warmup: the teacher's, which goes from the first to the last value in
            the first ``warmup`` of the schedule.
        balanced: whether large and small crops have a half each, as in Mugs, in place of all pairs alike.
        queue, temperature: earlier images of ``instances`` and ``neighbours``, and what divides their cosines.
        nearest: earlier images that ``neighbours`` sees beside an image.
        masked_least, masked_most: share of the places of a large crop that ``patches`` hides, from image to image.
        momentum: of the teacher at the start; it rises to 1. The papers have 0.996, for schedules of 100,000 steps.
        keeps: the network that is judged and handed on, ``teacher`` or ``student``.
        instances_per_group: images of a group in a batch, which ``clusters`` lets teach each other within parts of a
            group that grow, through its divisors, to all of it (CION, https://arxiv.org/abs/2409.18569). Above 1 it
            needs the field ``group``.
        width: of the heads.
        crops: small crops, which only the student sees; of half the side, which only networks that take images of any
            size can see.
        crop, jitter, flip, colour: of the views, see ``trainables.objectives._views``; ``crop`` of the large ones.

    Raises:
        ValueError: a value out of range, or ``patches`` for a network without tokens.
    """
    weights = {"clusters": clusters, "instances": instances, "neighbours": neighbours, "patches": patches}
    weights["spread"] = spread
    _check(weights, keeps, queue, nearest, (masked_least, masked_most), instances_per_group)
    inputs = features_of_places(network)
    common: dict[str, Any] = {"width": width, "balanced": balanced}
    early: dict[str, Any] = {"queue": queue, "temperature": temperature, **common}
    build = {
        "clusters": lambda: terms.Clusters(
            network.width,
            prototypes=prototypes,
            student_temperature=student_temperature,
            teacher_temperature=(first_temperature, teacher_temperature),
            warmup=warmup,
            **common,
        ),
        "instances": lambda: terms.Instances(network.width, **early),
        "neighbours": lambda: terms.Neighbours(inputs, neighbours=nearest, **early),
        "patches": lambda: terms.Patches(
            inputs,
            width=width,
            prototypes=prototypes,
            student_temperature=student_temperature,
            teacher_temperature=teacher_temperature,
        ),
        "spread": terms.Spread,
    }
    return _Dino(
        network,
        {name: (weight, build[name]()) for name, weight in weights.items() if weight},
        hidden=(masked_least, masked_most),
        momentum=momentum,
        keeps=keeps,
        per_group=instances_per_group,
        crops=crops,
        views=Views(crop=crop, jitter=jitter, flip=flip, colour=colour),
    )


def _check(
    weights: Mapping[str, float], keeps: str, queue: int, nearest: int, masked: tuple[float, float], per_group: int
) -> None:
    if min(weights.values()) < 0 or max(weights.values()) == 0:
        raise ValueError(f"the weights of dino's terms are at least 0 and one is above it, given {dict(weights)}")
    if keeps not in ("teacher", "student"):
        raise ValueError(f"dino.keeps is teacher or student, given '{keeps}'")
    if per_group < 1:
        raise ValueError(f"dino.instances_per_group is at least 1, given {per_group}")
    if weights["neighbours"] and not 0 < nearest <= queue:
        raise ValueError(f"dino.nearest is at least 1 and at most dino.queue, given {nearest} of {queue}")
    if not 0 < masked[0] <= masked[1] < 1:
        raise ValueError(f"dino.masked_least and dino.masked_most are shares in (0, 1), in order, given {masked}")


class _Dino(nn.Module):
    def __init__(
        self,
        network: Deployable,
        parts: Mapping[str, tuple[float, terms.Term]],
        *,
        hidden: tuple[float, float],
        momentum: float,
        keeps: str,
        per_group: int,
        crops: int,
        views: Views,
    ) -> None:
        super().__init__()
        self.network = network
        freeze_unused(network, network.pooled)
        self.teacher = Follower(network)
        self._parts = dict(parts)
        self.terms = nn.ModuleDict({name: term for name, (_, term) in parts.items()})
        self._hidden, self._momentum, self._keeps, self._crops, self._views = hidden, momentum, keeps, crops, views
        self._spread = Spread()
        self._per_group = per_group
        self._parts_of_group = [part for part in range(2, per_group + 1) if per_group % part == 0] or [1]
        if "patches" in parts:
            check_tokens(network, "dino.patches", "a weight of 0")
            embedded, features = embedded_and_features(network)
            self._side, self._tokens = side_of(features, prefix_tokens(network)), side_of(embedded)
            if self._tokens % self._side:
                raise ValueError(f"dino.patches: {self._side} places a side do not divide {self._tokens} tokens")
            self.token = nn.Parameter(torch.zeros(width_of(embedded)))
            nn.init.trunc_normal_(self.token, std=0.02)

    @property
    def evaluated(self) -> nn.Module:
        """The network to judge and hand on."""
        return self.teacher.copies[0] if self._keeps == "teacher" else self.network

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images."""
        if self.training:
            momentum = rising(self._momentum, batch.progress)
            self.teacher.follow(self.network, momentum=momentum)
            for _, term in self._parts.values():
                term.follow(momentum)
        seen = self._seen(batch, generator)
        if self.training:
            self._spread.note(seen.student[0], seen.teacher[0])
        losses = [weight * term(seen) for weight, term in self._parts.values()]
        return torch.stack(losses).sum()

    def _seen(self, batch: Batch, generator: torch.Generator) -> terms.Seen:
        image_BCHW = batch.image_BCHW
        large = torch.cat([self._views.of(image_BCHW, generator, number=number) for number in range(terms.LARGE)])
        hidden_NHW = self._drawn(len(large), generator).to(large.device) if "patches" in self._parts else None
        if hidden_NHW is None:
            own = self.network.features(large)
        else:
            repeat = self._tokens // self._side
            hidden_N1TT = hidden_NHW[:, None].repeat_interleave(repeat, 2).repeat_interleave(repeat, 3)
            with hiding(self.network, self.token, hidden_N1TT, sealed=True):
                own = self.network.features(large)
        every = [(self.network.pooled_from(own), self._mean(own))]
        if self._crops:
            side = max(1, self.network.resolution // 2)
            views = self._views.smalls(image_BCHW, generator, count=self._crops, side=side, area=SMALL_AREA)
            small = self.network.features(views, side=side)
            every.append((self.network.pooled_from(small), self._mean(small)))
        teacher = self.teacher.copies[0]
        assert isinstance(teacher, Deployable)
        with torch.no_grad():
            followed = teacher.features(large, side=self.network.training_side)
            pooled = teacher.pooled_from(followed)
        prefix, count = prefix_tokens(self.network), len(image_BCHW)
        return terms.Seen(
            student=[part for pooled_NF, _ in every for part in torch.split(pooled_NF, count)],
            teacher=torch.split(pooled, count),
            student_places=[part for _, mean_NG in every for part in torch.split(mean_NG, count)],
            teacher_places=torch.split(self._mean(followed), count),
            student_map=as_map(own, prefix),
            teacher_map=as_map(followed, prefix),
            hidden_NHW=hidden_NHW,
            together=self._together(batch.progress) if self.training else 1,
            progress=batch.progress,
        )

    @property
    def order(self) -> Order | None:
        """Batches of whole groups, where images of one teach each other."""
        return Grouped(self._per_group) if self._per_group > 1 else None

    def _together(self, progress: float) -> int:
        """How many images of a group teach each other: each of the divisors for the same share of the schedule."""
        return self._parts_of_group[int(progress * len(self._parts_of_group))]

    def _mean(self, features: Tensor) -> Tensor:
        """Over all places, and over the tokens that stand for none."""
        return features.mean(dim=1) if features.ndim == 3 else as_map(features).mean(dim=(2, 3))

    def _drawn(self, count: int, generator: torch.Generator) -> Tensor:
        """Places to hide, bool (count, h, w): another share of each image."""
        places, (least, most) = self._side**2, self._hidden
        share_N1 = least + (most - least) * torch.rand(count, 1, generator=generator)
        rank_NP = torch.rand(count, places, generator=generator).argsort(dim=1).argsort(dim=1)
        hidden_NP = rank_NP < (share_N1 * places).round().clamp(1, places - 1)
        return hidden_NP.reshape(count, self._side, self._side)

    def watched(self) -> dict[str, float]:
        """Of the last batch, the student's and the teacher's ranks and spread; entropies of the prototypes' use."""
        return {**self._spread.values(), **terms.figures([term for _, term in self._parts.values()])}

    def trouble(self, values: Mapping[str, float]) -> str | None:
        """That features or prototypes do not tell images apart, if so."""
        if "prototype_entropy" in values:
            information = values["prototype_entropy"] - values["image_entropy"]
            if information < LEAST_INFORMATION:
                return (
                    f"dino collapsed: the teacher's prototypes say {information:.1%} of what they could say about an "
                    "image; use a lower teacher_temperature, milder views or a smaller learning rate"
                )
        return alike("dino", values)

"""Pretraining and training at equal compute: which share each has, and pretrained weights that candidates share.

Compute is counted in forward-backward passes of the backbone. A candidate has ``epochs`` times the number of
unlabelled images; pretraining takes its share, divided by the passes that its objective makes for an image; supervised
training takes the rest, on however few labelled images there are.

Pretraining has one stage or several. A second one goes on from the first on the data's own images; a
third begins where the first ended, too, and is besides taught by the second (Lee et al. 2023,
https://arxiv.org/abs/2210.02871).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np

from spaces import components
from spaces.candidate import (
    AGREEMENT,
    FURTHER,
    NO_PRETRAINING,
    NO_WEIGHTS,
    OWN_PICTURES,
    SHARE,
    STAGE_COUNTS,
    STAGES,
    WEIGHT,
    Candidate,
)
from trainables.batches.fields import needs_of, selected
from trainables.joint import Joint, knobs_of, load, taken, takes_classes
from trainables.plan import inputs_of
from trainables.splits import Pictures, Splits


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretraining:
    """A stage of a candidate's pretraining.

    Attributes:
        objective: file name in ``trainables/objectives``, or several joined by ``+``.
        knobs: keywords of its ``objective``.
        pictures: what it sees, ``own`` or a file in ``trainables/data``.
        pictures_knobs: keywords of its ``pictures``.
        recipe: its own ingredients, by address as in a candidate's recipe.
        reports: how many of the candidate's reports it takes.
        passes: forward-backward passes of the objective for an image.
        begins: number of the stage from whose result it begins; None for random weights or those from elsewhere.
        teacher: number of the stage whose result teaches it; None for none.
    """

    objective: str
    knobs: Mapping[str, Any]
    pictures: str
    pictures_knobs: Mapping[str, Any]
    recipe: Mapping[str, Any]
    reports: int
    passes: float
    begins: int | None = None
    teacher: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Extent:
    """How far a pretraining goes.

    Attributes:
        share: of the compute.
        stages: how many.
        further: share of the pretraining that stages after the first take together.
        agreement: weight of the agreement with the teacher in the last of three stages.
    """

    share: float
    stages: int
    further: float
    agreement: float

    def reports(self, epochs: int) -> list[int]:
        """Of each stage; every one has at least one, and so has training.

        Raises:
            ValueError: a share outside (0, 1), or too few epochs.
        """
        if not 0.0 < self.share < 1.0 or epochs <= self.stages:
            raise ValueError(
                f"pretraining.{SHARE} is {self.share} of {epochs} epochs; pretraining and training need a share "
                f"between 0 and 1 and {self.stages + 1} epochs or more"
            )
        whole = min(max(self.stages, round(self.share * epochs)), epochs - 1)
        if self.stages == 1:
            return [whole]
        if not 0.0 < self.further < 1.0:
            raise ValueError(f"pretraining.{FURTHER} is between 0 and 1, given {self.further}")
        further = min(max(self.stages - 1, round(self.further * whole)), whole - 1)
        return [whole - further, *_even(further, self.stages - 1)]


def _even(total: int, parts: int) -> list[int]:
    return [(total * (part + 1)) // parts - (total * part) // parts for part in range(parts)]


def reports_of_pretraining(candidate: Candidate, epochs: int) -> int:
    """Reports of all stages of a candidate's pretraining, which come before those of its training.

    Raises:
        ValueError: as ``pretrainings_of``.
    """
    return sum(stage.reports for stage in pretrainings_of(candidate, epochs))


def pretrainings_of(candidate: Candidate, epochs: int) -> tuple[Pretraining, ...]:
    """The stages of a candidate's pretraining; none if it is trained from scratch or from weights alone.

    Shares are rounded to whole reports, of which every stage and training have at least one each.

    Raises:
        ValueError: the dimensions contradict each other, or there are too few epochs.
    """
    rest = dict(candidate.pretraining)
    name = str(rest.pop("objective", NO_PRETRAINING))
    if name == NO_PRETRAINING:
        adapted = candidate.adaptation if candidate.weights == NO_WEIGHTS else ()
        extra = [*(f"pretraining.{below}" for below in rest), *(f"adaptation.{below}" for below in adapted)]
        if extra:
            raise ValueError(f"candidate {candidate.key} is not pretrained but has {', '.join(extra)}; leave these out")
        return ()
    extent = _extent(rest)
    module = load(name)
    _check_stages(name, module, extent)
    pictures = str(rest.pop("source", module.SOURCE))
    _check_targets(name, module, pictures)
    knobs, pictures_knobs = knobs_of(name, rest), taken(rest, pictures)
    if inputs_of(rest):
        raise ValueError(
            f"candidate {candidate.key} sets its network's input in pretraining, which is the same in training; "
            "set it in the recipe"
        )
    reports = extent.reports(epochs)
    first = Pretraining(
        objective=name,
        knobs=knobs,
        pictures=pictures,
        pictures_knobs=pictures_knobs,
        recipe=rest,
        reports=reports[0],
        passes=float(module.passes(**knobs)),
    )
    return (first, *_further(first, reports[1:], extent.agreement))


def _extent(rest: dict[str, Any]) -> _Extent:
    """How far pretraining goes; what says so is removed from the addresses below ``pretraining``.

    Raises:
        ValueError: ``stages`` is no word that it can be, or knobs are set that its word does not have.
    """
    word = str(rest.pop(STAGES, "once"))
    if word not in STAGE_COUNTS:
        raise ValueError(f"pretraining.{STAGES} is {', '.join(STAGE_COUNTS)}; given '{word}'")
    stages, of_agreement = STAGE_COUNTS[word], f"{WEIGHT}.{AGREEMENT}"
    idle = [address for address, least in ((FURTHER, 2), (of_agreement, 3)) if address in rest and stages < least]
    if idle:
        raise ValueError(f"pretraining.{STAGES} is '{word}', which has no {' and no '.join(idle)}; leave these out")
    return _Extent(
        share=float(rest.pop(SHARE, 0.5)),
        stages=stages,
        further=float(rest.pop(FURTHER, 0.5)),
        agreement=float(rest.pop(of_agreement, 1.0)),
    )


def _further(first: Pretraining, reports: Sequence[int], agreement: float) -> list[Pretraining]:
    """The stages after the first, which begin where it ended, on the data's own images."""
    own = replace(first, pictures=OWN_PICTURES, pictures_knobs={}, begins=0)
    further = [replace(own, reports=count) for count in reports[:1]]
    if len(reports) > 1:
        name = f"{first.objective}+{AGREEMENT}"
        parts = first.knobs if len(components.parts_of(first.objective)) > 1 else {first.objective: first.knobs}
        knobs = {**parts, WEIGHT: {**parts.get(WEIGHT, {}), AGREEMENT: agreement}}
        passes = float(load(name).passes(**knobs))
        further.append(replace(own, objective=name, knobs=knobs, reports=reports[1], passes=passes, teacher=1))
    return further


def _check_stages(name: str, module: ModuleType | Joint, extent: _Extent) -> None:
    if AGREEMENT in components.parts_of(name):
        raise ValueError(
            f"objective '{name}' agrees with a stage before it: set pretraining.{STAGES} to 'distilled', which joins "
            f"'{AGREEMENT}' to the objective, and leave it out of pretraining.objective"
        )
    if extent.stages > 1 and (module.LABELS or module.COMPARES is not None):
        what = "reads class labels" if module.LABELS else "has a teacher of its own"
        raise ValueError(
            f"objective '{name}' {what}, and further stages go on from the data's own images without either; set "
            f"pretraining.{STAGES} to 'once' or choose another objective"
        )


def _check_targets(name: str, module: ModuleType | Joint, pictures: str) -> None:
    if pictures == OWN_PICTURES or not module.LABELS:
        return
    known = pictures in components.names(components.PICTURES)  # else a pool of the data's, which has none
    targets = components.load(components.PICTURES, pictures).TARGETS if known else False
    if not targets or not takes_classes(module):
        raise ValueError(
            f"objective '{name}' reads class labels, which pictures of source '{pictures}' do not have; "
            f"use pretraining.source '{OWN_PICTURES}' or another objective"
        )


def keys_of(candidate: Candidate, stages: Sequence[Pretraining], splits: Splits) -> list[str]:
    """For each stage, sixteen hexadecimal digits of all that decides the weights that it leaves.

    That is network, pretraining and images; of later stages also the keys of those that they begin from or learn from.
    """
    images = splits.unlabelled
    common = {
        "backbone": candidate.backbone,
        "architecture": dict(candidate.architecture),
        "inputs": dict(inputs_of(candidate.recipe)),
        "data": [len(images), len(splits.train), len(splits.classes), *splits.mean, *splits.std],
    }
    keys: list[str] = []
    if stages:
        common["images"] = _digest(images)
    for stage in stages:
        described = {**common, **_described(stage, splits)}
        for role, number in (("begins", stage.begins), ("teacher", stage.teacher)):
            if number is not None:  # else the key is what it was before there were stages
                described[role] = keys[number]
        keys.append(hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16])
    return keys


def _described(stage: Pretraining, splits: Splits) -> dict[str, Any]:
    """What a key says of a stage alone."""
    described: dict[str, Any] = {
        "stage": [stage.objective, dict(stage.knobs), dict(stage.recipe), stage.reports],
        "source": [stage.pictures, dict(stage.pictures_knobs)],
    }
    images = splits.unlabelled
    if stage.pictures in splits.pools:
        images = splits.pools[stage.pictures]
        described["pool"] = [len(images), _digest(images)]
    elif stage.pictures_knobs.get("pools"):  # a mix has images of every pool
        described["pools"] = {name: [len(pool), _digest(pool)] for name, pool in splits.pools.items()}
    if needs := needs_of(stage.objective, stage.knobs):  # else the key is what it was before there were fields
        fields = selected(images, needs)
        described["fields"] = {name: hashlib.sha256(fields[name].tobytes()).hexdigest() for name in fields}
    return described


def _digest(images: Pictures) -> str:
    """Of a thousand images at most, evenly spaced."""
    row_B = np.linspace(0, len(images) - 1, num=min(len(images), 1000), dtype=np.int64)
    return hashlib.sha256(images.batch(row_B)[0].numpy().tobytes()).hexdigest()

"""Pretraining and training at equal compute: which share each has, and pretrained weights that candidates share.

Compute is counted in forward-backward passes of the backbone. A candidate has ``epochs`` times the number of
unlabelled images; pretraining takes its share, divided by the passes that its objective makes for an image; supervised
training takes the rest, on however few labelled images there are.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from filelock import FileLock

from spaces import components
from spaces.candidate import NO_PRETRAINING, NO_WEIGHTS, OWN_PICTURES, Candidate
from trainables.batches.fields import needs_of, selected
from trainables.joint import Joint, knobs_of, load, taken, takes_classes
from trainables.plan import inputs_of
from trainables.splits import Pictures, Splits
from trainables.training.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretraining:
    """How a candidate is pretrained.

    Attributes:
        objective: file name in ``trainables/objectives``, or several joined by ``+``.
        knobs: keywords of its ``objective``.
        pictures: what it sees, ``own`` or a file in ``trainables/data``.
        pictures_knobs: keywords of its ``pictures``.
        recipe: its own ingredients, by address as in a candidate's recipe.
        reports: how many of the candidate's reports it takes.
        passes: forward-backward passes of the objective for an image.
    """

    objective: str
    knobs: Mapping[str, Any]
    pictures: str
    pictures_knobs: Mapping[str, Any]
    recipe: Mapping[str, Any]
    reports: int
    passes: float


def pretraining_of(candidate: Candidate, epochs: int) -> Pretraining | None:
    """How a candidate is pretrained, or None if it is trained from scratch or from weights alone.

    The share is rounded to whole reports, of which pretraining and training have at least one each.

    Raises:
        ValueError: the dimensions contradict each other, or there are too few epochs for both.
    """
    rest = dict(candidate.pretraining)
    name = str(rest.pop("objective", NO_PRETRAINING))
    if name == NO_PRETRAINING:
        adapted = candidate.adaptation if candidate.weights == NO_WEIGHTS else ()
        extra = [*(f"pretraining.{below}" for below in rest), *(f"adaptation.{below}" for below in adapted)]
        if extra:
            raise ValueError(f"candidate {candidate.key} is not pretrained but has {', '.join(extra)}; leave these out")
        return None
    share = float(rest.pop("share", 0.5))
    if not 0.0 < share < 1.0 or epochs < 2:
        raise ValueError(
            f"pretraining.share is {share} of {epochs} epochs; pretraining and training need a share between 0 and 1 "
            "and two epochs"
        )
    module = load(name)
    pictures = str(rest.pop("source", module.SOURCE))
    _check_targets(name, module, pictures)
    knobs, pictures_knobs = knobs_of(name, rest), taken(rest, pictures)
    if inputs_of(rest):
        raise ValueError(
            f"candidate {candidate.key} sets its network's input in pretraining, which is the same in training; "
            "set it in the recipe"
        )
    return Pretraining(
        objective=name,
        knobs=knobs,
        pictures=pictures,
        pictures_knobs=pictures_knobs,
        recipe=rest,
        reports=min(max(1, round(share * epochs)), epochs - 1),
        passes=float(module.passes(**knobs)),
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


def key_of(candidate: Candidate, first: Pretraining, splits: Splits) -> str:
    """Sixteen hexadecimal digits of all that decides the pretrained weights: network, pretraining and images."""
    images = splits.unlabelled
    described = {
        "backbone": candidate.backbone,
        "architecture": dict(candidate.architecture),
        "stage": [first.objective, dict(first.knobs), dict(first.recipe), first.reports],
        "inputs": dict(inputs_of(candidate.recipe)),
        "source": [first.pictures, dict(first.pictures_knobs)],
        "data": [len(images), len(splits.train), len(splits.classes), *splits.mean, *splits.std],
        "images": _digest(images),
    }
    if first.pictures in splits.pools:
        images = splits.pools[first.pictures]
        described["pool"] = [len(images), _digest(images)]
    elif first.pictures_knobs.get("pools"):  # a mix has images of every pool
        described["pools"] = {name: [len(pool), _digest(pool)] for name, pool in splits.pools.items()}
    if needs := needs_of(first.objective, first.knobs):  # else the key is what it was before there were fields
        fields = selected(images, needs)
        described["fields"] = {name: hashlib.sha256(fields[name].tobytes()).hexdigest() for name in fields}
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]


def _digest(images: Pictures) -> str:
    """Of a thousand images at most, evenly spaced."""
    row_B = np.linspace(0, len(images) - 1, num=min(len(images), 1000), dtype=np.int64)
    return hashlib.sha256(images.batch(row_B)[0].numpy().tobytes()).hexdigest()


@contextmanager
def held(path: Path | None, world: World) -> Iterator[None]:
    """Hold a shared pretraining: a second trial waits, then finds what the first has written.

    The lock is the operating system's, which frees it when its holder is killed. The first worker holds it for all, and
    removes what a killed holder has left half written.
    """
    if path is None:
        yield
        return
    if world.rank == 0:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{path}.lock")
        lock.acquire()
        for partial in path.parent.glob(f"{path.stem}.*.tmp"):
            partial.unlink()
    world.barrier()
    try:
        yield
    finally:
        if world.rank == 0:
            lock.release()

"""What images a run began with, so that a later command sees whether they are the same."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from trainables.splits import Images, Pictures, Splits

WHOLE_BYTES = 64_000_000
"""Pixels of a part up to which every image is read; beyond, ``SAMPLED`` evenly spaced ones stand for them."""
SAMPLED = 1000
OF_POOL = 100
BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the data: how many images, and a digest of labels and pixels."""

    images: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataIdentity:
    """The images of a run.

    Attributes:
        classes: class names in order.
        shape: of a stored image, (C, H, W).
        parts: ``training``, ``search-validation``, ``test``, and ``pretraining`` where it has more images.
    """

    classes: tuple[str, ...]
    shape: tuple[int, ...]
    parts: Mapping[str, Part]

    @classmethod
    def of(cls, splits: Splits) -> Self:
        """Of loaded data."""
        parts = {"training": splits.train, "search-validation": splits.validation, "test": splits.test}
        described = {name: _part(images) for name, images in parts.items()}
        if splits.pool is not None:
            described["pretraining"] = _pool(splits.pool)
        shape = tuple(int(side) for side in splits.train.image_NCHW.shape[1:])
        return cls(classes=splits.classes, shape=shape, parts=described)

    def to_json(self) -> dict[str, Any]:
        """A JSON value that ``from_json`` reads."""
        parts = {name: {"images": part.images, "digest": part.digest} for name, part in self.parts.items()}
        return {"classes": list(self.classes), "shape": list(self.shape), "parts": parts}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read ``to_json``'s form."""
        parts = {name: Part(**part) for name, part in value["parts"].items()}
        return cls(classes=tuple(value["classes"]), shape=tuple(value["shape"]), parts=parts)

    def differences(self, before: "DataIdentity") -> Iterator[str]:
        """What is not as it was, in words."""
        if self.classes != before.classes:
            yield f"classes are {_listed(self.classes)}, were {_listed(before.classes)}"
        if self.shape != before.shape:
            yield f"images are {_sides(self.shape)}, were {_sides(before.shape)}"
        for name in dict.fromkeys([*before.parts, *self.parts]):
            now, then = self.parts.get(name), before.parts.get(name)
            if now is None or then is None or now.images != then.images:
                yield f"{name} has {_count(now)} images, had {_count(then)}"
            elif now.digest != then.digest:
                yield f"of the {now.images:,} images of {name} some are others"


def _part(images: Images) -> Part:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(np.ascontiguousarray(images.label_N, dtype="<i8").tobytes())
    count = len(images)
    whole = count * int(np.prod(images.image_NCHW.shape[1:])) <= WHOLE_BYTES
    row_N = np.arange(count) if whole else np.linspace(0, count - 1, SAMPLED).round().astype(np.int64)
    for start in range(0, len(row_N), BATCH):
        digest.update(np.ascontiguousarray(images.image_NCHW[row_N[start : start + BATCH]]).tobytes())
    return Part(images=count, digest=digest.hexdigest())


def _pool(pictures: Pictures) -> Part:
    row_N = np.linspace(0, len(pictures) - 1, min(OF_POOL, len(pictures))).round().astype(np.int64)
    sample = pictures.batch(row_N)[0].numpy()
    return Part(images=len(pictures), digest=hashlib.blake2b(sample.tobytes(), digest_size=16).hexdigest())


def _count(part: Part | None) -> str:
    return "no" if part is None else f"{part.images:,}"


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _listed(names: tuple[str, ...], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")

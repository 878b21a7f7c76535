"""Fields of images beside their pixels and labels: the one vocabulary, and who has and who reads which."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from spaces import components
from spaces.components import OBJECTIVES
from spaces.mistake import Mistake
from trainables.splits import Joined, Pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field that sources may have and objectives may read.

    Attributes:
        dtype: of its array, whose row n belongs to image n.
        shape: of a row; letters stand for any length, C for the channels of the image.
        unknown: the value of images of which it is not known; None where there is no such value.
        spatial: whether a row is a map of the image, which moves as the image does; bilinear between its places.
        written: whether the trainer writes it, and no source has it.
        meaning: a sentence.
    """

    dtype: str
    shape: tuple[int | str, ...] = ()
    unknown: int | None = None
    spatial: bool = False
    written: bool = False
    meaning: str


PLACED, ROW = "placed", "row"

CAPTION, TEXT = "caption", "text"
"""What objectives with a text tower read."""
VOCABULARY: Mapping[str, Field] = {
    CAPTION: Field(
        dtype="uint16",
        shape=("T", "L"),
        unknown=0,
        meaning="up to T captions of L tokens each; all zeros is no caption",
    ),
    TEXT: Field(
        dtype="float32",
        shape=("E",),
        unknown=0,
        meaning="a stored vector of a text, of length 1; all zeros is none",
    ),
    "group": Field(dtype="int64", unknown=-1, meaning="which object, identity or clip an image shows"),
    "frame": Field(dtype="int64", unknown=-1, meaning="number of an image in its group, in the order they were taken"),
    "slice": Field(
        dtype="int64", unknown=-1, meaning="which of a few kinds of images a network is to treat alike, such as a light"
    ),
    "origin": Field(dtype="int64", unknown=-1, meaning="which source of a mix an image comes from"),
    "level": Field(
        dtype="int64", unknown=-1, meaning="a finer or other label beside the class, such as what generated an image"
    ),
    "pair": Field(dtype="uint8", shape=("C", "H", "W"), meaning="a second image of the same scene"),
    "between": Field(
        dtype="float32",
        shape=(2, 3),
        meaning="affine map from the pair's coordinates to the stored image's, as affine_grid has it",
    ),
    "other": Field(dtype="uint8", shape=("C", "H", "W"), meaning="an unrelated image of a second domain, unlabelled"),
    "labels": Field(dtype="bool", shape=("K",), meaning="all classes that are right"),
    "classmap": Field(
        dtype="float32", shape=("K", "h", "w"), spatial=True, meaning="class scores of a teacher at each place"
    ),
    "segments": Field(
        dtype="int64",
        shape=("h", "w"),
        meaning="which class each place shows; as many as there are classes for none of them, -1 where unknown",
    ),
    "attribute": Field(dtype="float32", shape=("A",), meaning="measured properties that nobody trains for"),
    "box": Field(
        dtype="float32",
        shape=(4,),
        meaning="left, top, right and bottom of the object, as shares of the stored image; not a number where unknown",
    ),
    "pose": Field(
        dtype="float32",
        shape=(3, 4),
        meaning="the camera: rotation and translation from the world; not a number where unknown",
    ),
    ROW: Field(dtype="int64", written=True, meaning="which of the images that are trained on it is, from 0"),
    PLACED: Field(
        dtype="float32",
        shape=(2, 3),
        written=True,
        meaning="affine map from the coordinates of what training sees to the stored image's, as affine_grid has it",
    ),
}


def misfits(fields: Mapping[str, NDArray[Any]], count: int, channels: int) -> Iterator[str]:
    """What of the fields of images is not as the vocabulary says, a clause each.

    Args:
        fields: arrays by name.
        count: of the images.
        channels: of the images.
    """
    for name, value_N in fields.items():
        field = VOCABULARY.get(name)
        if field is None or field.written:
            sources = ", ".join(known for known, one in VOCABULARY.items() if not one.written)
            yield f"'{name}' is no field that sources have, which are {sources}"
            continue
        wanted = (count, *(channels if side == "C" else side for side in field.shape))
        fits = len(wanted) == value_N.ndim and all(
            isinstance(side, str) or side == own for side, own in zip(wanted, value_N.shape, strict=True)
        )
        if not fits or value_N.dtype != field.dtype:
            shape = ", ".join(map(str, wanted))
            yield f"'{name}' is {value_N.dtype} {value_N.shape}; it is to be {field.dtype} ({shape})"


class FieldError(Mistake):
    """The images lack a field that an objective reads."""


_HINTS = {
    CAPTION: " (data.captions gives those of sources folder and emoji, data.class_captions 1.0 class names)",
    TEXT: " (data.text_vectors gives it)",
    "group": " (data.unlabelled gives each image's folder as its group)",
    "origin": " (data.class_captions gives it, a share of the training images)",
}
"""How a field comes about, where a source that is here gives it."""


@runtime_checkable
class WithFields(Protocol):
    """Pictures that have fields; those that are made on the fly have none."""

    @property
    def fields(self) -> Mapping[str, NDArray[Any]]:
        """By name, an array whose row n belongs to image n."""


def fields_of(pictures: Pictures) -> Mapping[str, NDArray[Any]]:
    """The fields of pictures; of joined ones those that all parts have, or whose value may be unknown."""
    if isinstance(pictures, Joined):
        parts = [fields_of(part) for part in pictures.parts]
        counts = [len(part) for part in pictures.parts]
        names = sorted({name for fields in parts for name in fields})
        return {
            name: _joined(name, [fields.get(name) for fields in parts], counts)
            for name in names
            if VOCABULARY[name].unknown is not None or all(name in fields for fields in parts)
        }
    return pictures.fields if isinstance(pictures, WithFields) else {}


def _joined(name: str, values: Sequence[NDArray[Any] | None], counts: Sequence[int]) -> NDArray[Any]:
    """A field of several parts, None where one lacks it; rows are as large as the largest, the rest is unknown."""
    present = [value_N for value_N in values if value_N is not None]
    if VOCABULARY[name].unknown is None:
        return np.concatenate(present)
    row = np.max([value_N.shape[1:] for value_N in present], axis=0).astype(int)
    whole_N = np.full((sum(counts), *row), VOCABULARY[name].unknown, dtype=VOCABULARY[name].dtype)
    first = 0
    for value_N, count in zip(values, counts, strict=True):
        if value_N is not None:
            whole_N[(slice(first, first + count), *map(slice, value_N.shape[1:]))] = value_N
        first += count
    return whole_N


def selected(pictures: Pictures, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Some fields of pictures, without those that the trainer writes.

    Raises:
        FieldError: the pictures lack one.
    """
    stored = [name for name in names if not VOCABULARY[name].written]
    fields = fields_of(pictures) if stored else {}
    for name in stored:
        check_field(name, fields)
    return {name: fields[name] for name in stored}


def needs_of(name: str, knobs: Mapping[str, Any]) -> tuple[str, ...]:
    """Fields of images that an objective, or several joined ones, read with these knobs, sorted.

    Args:
        name: of files in ``trainables/objectives``, joined by ``+``.
        knobs: keywords; those of several objectives by part.
    """
    parts = components.parts_of(name)
    own = {part: knobs if len(parts) == 1 else knobs.get(part, {}) for part in parts}
    return tuple(sorted({field for part in parts for field in _asked(part, own[part])}))


def _asked(name: str, knobs: Mapping[str, Any]) -> Iterator[str]:
    defaults = components.parameters(OBJECTIVES, name).defaults
    for knob, field in components.constant(OBJECTIVES, name, "NEEDS"):
        if not knob or knobs.get(knob, defaults[knob]) != defaults[knob]:
            yield field


def check_field(name: str, fields: Mapping[str, Any], images: str = "these images", knob: str = "") -> None:
    """That a field is there.

    Args:
        name: of the field.
        fields: that there are.
        images: whose these are, for people.
        knob: full address of what asks for it, where it is one.

    Raises:
        FieldError: it is not.
    """
    if name not in fields and not VOCABULARY[name].written:
        raise FieldError(
            f"the objective reads the field {name} ({VOCABULARY[name].meaning}), which {images} do not have; "
            f"pretrain on images that have it{_HINTS.get(name, '')}, or leave out "
            f"{knob or 'the objective or the knob that asks for it'}"
        )

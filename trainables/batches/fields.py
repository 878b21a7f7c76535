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
        unknown: the value of images of which it is not known; None where there is no such value.
        meaning: a sentence.
    """

    dtype: str
    unknown: int | None
    meaning: str


VOCABULARY: Mapping[str, Field] = {
    "group": Field(dtype="int64", unknown=-1, meaning="which object, identity or clip an image shows"),
}


class FieldError(Mistake):
    """The images lack a field that an objective reads."""


@runtime_checkable
class WithFields(Protocol):
    """Pictures that have fields; those that are made on the fly have none."""

    @property
    def fields(self) -> Mapping[str, NDArray[Any]]:
        """By name, an array whose row n belongs to image n."""


def fields_of(pictures: Pictures) -> Mapping[str, NDArray[Any]]:
    """The fields of pictures; of joined ones those that all parts have, or whose value may be unknown."""
    if isinstance(pictures, Joined):
        parts = [(fields_of(part), len(part)) for part in pictures.parts]
        names = {name for fields, _ in parts for name in fields}
        return {
            name: np.concatenate([fields.get(name, _unknown(name, count)) for fields, count in parts])
            for name in sorted(names)
            if VOCABULARY[name].unknown is not None or all(name in fields for fields, _ in parts)
        }
    return pictures.fields if isinstance(pictures, WithFields) else {}


def _unknown(name: str, count: int) -> NDArray[Any]:
    return np.full(count, VOCABULARY[name].unknown, dtype=VOCABULARY[name].dtype)


def selected(pictures: Pictures, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Some fields of pictures.

    Raises:
        FieldError: the pictures lack one.
    """
    fields = fields_of(pictures) if names else {}
    for name in names:
        check_field(name, fields)
    return {name: fields[name] for name in names}


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


def check_field(name: str, fields: Mapping[str, Any]) -> None:
    """That a field is there.

    Raises:
        FieldError: it is not.
    """
    if name not in fields:
        raise FieldError(
            f"the objective reads the field {name} ({VOCABULARY[name].meaning}), which these images do not have; "
            "pretrain on images that have it (data.unlabelled gives each image's folder as its group), or leave out "
            "the knob that asks for it"
        )

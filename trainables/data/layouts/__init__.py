"""Layouts: folders as their publishers lay them out, read as the rows of a manifest; one layout a file.

A file states all of ``Layout``. Rows come in any order; what a row leaves empty is not known of its picture.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from trainables.decoding import image_files


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One picture.

    Attributes:
        path: relative to the folder of the layout, with ``/`` between.
        label: name of its class.
        group: which object, identity or clip it shows.
        frame: its number within the group, in the order in which the pictures were taken; -1 where there is none.
        slice, origin, level: as the fields of these names.
        split: ``train``, ``val`` or ``test``.
        captions: by language; ``own`` where none is named.
        box: left, top, right and bottom of the object as shares of the picture; or empty.
        pose: the camera: a rotation and a translation from the world, (3, 4) by rows; or empty.
        licence, attribution: of the picture, and whom it is owed to.
        flags: why it must not be used.
    """

    path: str
    label: str = ""
    group: str = ""
    frame: int = -1
    slice: str = ""
    origin: str = ""
    level: str = ""
    split: str = ""
    captions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    box: tuple[float, ...] = ()
    pose: tuple[float, ...] = ()
    licence: str = ""
    attribution: str = ""
    flags: tuple[str, ...] = ()


class Layout(Protocol):
    """A layout's file. Nothing has a default: what reads a file reads it plainly."""

    PAPER: str
    """Where it comes from."""
    READS: str
    """What lies below the folder, for messages: ``CLASS/INSTANCE/images/*``."""
    RULES: Sequence[str]
    """What must hold of the rows (``trainables.data._rules``)."""
    rows: Callable[[Path], Iterator[Row]]
    """``rows(root) -> Iterator[Row]``; raises ``DataError`` for files that it cannot read."""


def pictures_below(folder: Path) -> list[Path]:
    """Pictures of a folder at any depth, sorted by path; hidden files are none."""
    return image_files(folder)[0] if folder.is_dir() else []

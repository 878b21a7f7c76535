"""Pictures that the rows of a table name: where they lie, and what they are once decoded."""

import contextlib
import hashlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.data._layouts import TABLE
from trainables.data._row_fields import BOX, on_squares, taken
from trainables.data._table import Table
from trainables.data.decoded import Encoded, cached, digest_of
from trainables.data.kept import Form
from trainables.decoding import ORIENTATION
from trainables.splits import DataError, Images
from trainables.stored import write_whole
from trainables.survey import Survey

SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""


@dataclass(frozen=True, slots=True)
class Place:
    """The folder or URI below which relative paths lie."""

    root: str

    @classmethod
    def of(cls, path: str, images: str | None, layout: str) -> "Place":
        """That of ``images``, or of the table, or of the layout."""
        own = (path.rpartition("/")[0] or ".") if layout == TABLE else path
        root = own if images is None else images.rstrip("/")
        return cls(str(Path(root).expanduser().resolve()) if _is_local(root) else root)

    def whole(self, path: str) -> str:
        """A path or URI that can be opened; in ``zip://::photos.zip`` a path stands before the colons."""
        if "://" in path or path.startswith("/"):
            return path
        archive, colons, file = self.root.partition("::")
        return f"{archive}{path}::{file}" if colons else f"{self.root}/{path}"


def _is_local(whole: str) -> bool:
    return "://" not in whole


def _stated(wholes: Sequence[str]) -> tuple[list[str], list[bool]]:
    """Of each picture a line that changes with it, as far as it is on this machine, and whether it is there."""
    lines, there = [], []
    for whole in wholes:
        state = None
        if _is_local(whole):
            with contextlib.suppress(OSError):
                state = os.stat(whole)  # noqa: PTH116, of a million paths
        there.append(state is not None or not _is_local(whole))
        lines.append(f"{whole} {state.st_size} {state.st_mtime_ns}" if state else whole)
    return lines, there


def decoded_pictures(
    table: Table, place: Place, label_N: NDArray[np.int64], fields: Mapping[str, NDArray[Any]], form: Form, store: Path
) -> tuple[Images, Survey]:
    """Pictures of all rows that can be read, with their labels and fields."""
    wholes = [place.whole(path) for path in table.text("path").to_pylist()]
    lines, there = _stated(wholes)
    absent = tuple((wholes[row], "there is no such file") for row, is_there in enumerate(there) if not is_there)
    digest = digest_of(form, "manifest", hashlib.sha256("\n".join(lines).encode()).hexdigest())
    images, survey = cached(store, digest, lambda: _sources(table, wholes, there), form)
    row_N = images.label_N  # a set is kept with the rows as labels, so that labels and fields may change
    own = taken(fields, row_N)
    if BOX in own:
        size_N2 = _sizes(store / f"{digest}.sizes.npy", [wholes[row] for row in row_N])
        own[BOX] = on_squares(own[BOX], size_N2[:, 0], size_N2[:, 1], form.decoding.crop_pct)
    fitted = replace(images, label_N=label_N[row_N], fields=own)
    return fitted, survey + Survey(unreadable=absent)


def _sizes(kept: Path, wholes: Sequence[str]) -> NDArray[np.int64]:
    """Width and height of each picture, upright: (N, 2); of their headers alone, once for all processes of a machine.

    Args:
        kept: file beside the decoded set, whose name changes when a picture does.
        wholes: the pictures of that set.
    """
    if not kept.exists():
        size_N2 = np.array([_size(whole) for whole in wholes], dtype=np.int64).reshape(-1, 2)
        write_whole(kept, lambda file: np.save(file, size_N2))
    read_N2: NDArray[np.int64] = np.load(kept)
    return read_N2


def _size(whole: str) -> tuple[int, int]:
    with fsspec.open(whole, "rb") as stream, Image.open(stream) as image:
        width, height = image.size
        return (height, width) if image.getexif().get(ORIENTATION, 1) in SIDEWAYS else (width, height)


def encoded_pictures(table: Table, place: Place) -> Iterator[Encoded]:
    wholes = [place.whole(path) for path in table.text("path").to_pylist()]
    return _sources(table, wholes, [not _is_local(whole) or Path(whole).exists() for whole in wholes])


def _sources(table: Table, wholes: Sequence[str], there: Sequence[bool]) -> Iterator[Encoded]:
    """Every picture that is there, with its row for a label."""
    for row, (whole, is_there) in enumerate(zip(wholes, there, strict=True)):
        if not is_there:
            continue
        if _is_local(whole):
            yield Encoded(name=whole, source=Path(whole), label=row)
            continue
        try:
            with fsspec.open(whole, "rb") as stream:
                content = stream.read()
        except (OSError, ValueError, KeyError, ImportError) as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"{table.called(row)} cannot be fetched from '{whole}': {reason}") from error
        yield Encoded(name=whole, source=io.BytesIO(content), label=row)

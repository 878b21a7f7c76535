"""Decode images of any size and mode once, into sets that trials map: what all sources on disk share."""

import errno
import hashlib
import json
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import IO, Any

from PIL import ImageColor

from trainables.data.kept import Form, Item, exists, fingerprint, names_of, read, write
from trainables.decoding import Decoding, Seen, UnreadableImage
from trainables.decoding import read as read_image
from trainables.photographs import Photographs
from trainables.splits import DataError, Images, Splits
from trainables.survey import Survey

VERSION = 3
"""Of what ``trainables.decoding.decode`` makes of a file; raised with its pixels, so that no older set is read."""
UNREADABLE = 0.05
"""Share of the images that may be left out because they cannot be read, by default."""
FIRST = 5
"""Names that a message lists."""
ALONE = 1000
"""Images that are decoded in this process, before others are started to help."""
CHUNK = 16
"""Images that a helping process decodes at a time."""
LARGEST = 4096
"""Pixels of a side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """An image as it comes: its name for messages, its file or bytes, and its class number."""

    name: str
    source: Path | IO[bytes]
    label: int


@dataclass(frozen=True, slots=True)
class _Left:
    """An image that cannot be read, and why."""

    name: str
    reason: str


def _decoded(one: Encoded, form: Form) -> tuple[Item, Seen] | _Left:
    """What is kept of an image.

    Raises:
        DataError: the disk's fault, so perhaps another one tomorrow.
    """
    try:
        content, seen = read_image(one.source, form.decoding, form.content)
        hashed = fingerprint(one.source)
    except UnreadableImage as error:
        return _Left(one.name, str(error))
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM):
            raise DataError(f"image '{one.name}' cannot be read ({error.strerror}); check the disk") from error
        return _Left(one.name, "permission denied")
    return Item(content, one.label, one.name, hashed), seen


def _chunk_decoded(chunk: Sequence[Encoded], form: Form) -> list[tuple[Item, Seen] | _Left]:
    return [_decoded(one, form) for one in chunk]


def _all_decoded(encoded: Iterator[Encoded], form: Form) -> Iterator[tuple[Item, Seen] | _Left]:
    """In order; from ``ALONE`` images on by a process for each core, with a bounded number of images at a time."""
    for one in islice(encoded, ALONE):
        yield _decoded(one, form)
    rest = list(islice(encoded, CHUNK))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not rest or cores == 1:
        yield from (_decoded(one, form) for one in (*rest, *encoded))
        return
    pending: deque[Future[list[tuple[Item, Seen] | _Left]]] = deque()
    with ProcessPoolExecutor(cores) as pool:
        while rest or pending:
            if rest:
                pending.append(pool.submit(_chunk_decoded, rest, form))
                rest = list(islice(encoded, CHUNK))
            if not rest or len(pending) >= 4 * cores:
                yield from pending.popleft().result()


@dataclass(slots=True)
class _Decoder:
    """Decodes images in order and remembers what they were; those that cannot be read are left out."""

    form: Form
    seen: list[Seen] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    def items(self, encoded: Iterator[Encoded]) -> Iterator[Item]:
        for result in _all_decoded(encoded, self.form):
            if isinstance(result, _Left):
                self.unreadable.append((result.name, result.reason))
                continue
            item, seen = result
            self.seen.append(seen)
            yield item

    def survey(self) -> Survey:
        return Survey.of(self.seen, self.unreadable)


def form_of(resolution: int, stored: int, crop_pct: float, grey: bool, background: Any) -> Form:
    """The form of the training images that the keywords of a source describe.

    Args:
        resolution: side of the square images, in pixels.
        stored: shorter side of images that are kept whole, to be cut anew in every epoch; 0 for squares alone.
        crop_pct: side of the square as a share of the resized image's shorter side.
        grey: one channel instead of three.
        background: under transparency: a name or ``#rrggbb`` as Pillow reads it, or three levels from 0 to 255.

    Raises:
        DataError: no such colour, side or share.
    """
    whole_sides = not any(isinstance(side, bool) or not isinstance(side, int) for side in (resolution, stored))
    if not whole_sides or not 1 <= resolution <= LARGEST or not (stored == 0 or 8 <= stored <= LARGEST):
        raise DataError(
            f"data.resolution is {resolution!r} and data.stored {stored!r}; these are pixels, 1 to {LARGEST:,} and 8 "
            f"to {LARGEST:,} (or 0: keep squares alone)"
        )
    if isinstance(crop_pct, bool) or not isinstance(crop_pct, int | float) or not 0.1 <= crop_pct <= 1:
        raise DataError(f"data.crop_pct is the share of the side that is seen, 0.1 to 1, given {crop_pct!r}")
    try:
        levels = ImageColor.getrgb(background)[:3] if isinstance(background, str) else tuple(map(int, background))
        red, green, blue = levels
        decoding = Decoding(
            side=resolution, channels=1 if grey else 3, background=(red, green, blue), crop_pct=float(crop_pct)
        )
    except (ValueError, TypeError) as error:
        raise DataError(
            f"data.background is {background!r}, which cannot be used ({error}); a background is a colour such as "
            "white, '#ffcc00' or [255, 204, 0]"
        ) from error
    return Form(decoding=decoding, stored=stored)


def store_of(cache: str | None) -> Path:
    """The folder of cached sets; by default in the system's temporary one."""
    return Path(cache) if cache else Path(tempfile.gettempdir()) / "nars-images"


def digest_of(form: Form, *described: Any) -> str:
    """Name of a set, for all that decides its content: its form and what is described (JSON values)."""
    return hashlib.sha256(json.dumps([VERSION, *form.described(), *described]).encode()).hexdigest()[:24]


def cached(store: Path, digest: str, encoded: Callable[[], Iterator[Encoded]], form: Form) -> tuple[Images, Survey]:
    """The images of a set, which is written one image after the other if it does not exist.

    Args:
        store: folder of the sets.
        digest: name of this one.
        encoded: gives the images anew.
        form: what is kept of them.
    """
    if not exists(store, digest, form):
        decoder = _Decoder(form)
        write(store, digest, decoder.items(encoded()), form, decoder.survey)
    return read(store, digest, form)


def evaluated_as_files(splits: Splits, store: Path, encoded: Callable[[], Iterator[Encoded]], form: Form) -> Splits:
    """Splits whose evaluated parts are squares decoded from the files, as exported networks see these.

    Args:
        splits: whose search-validation or test images may have been split off training images that are kept whole.
        store: folder of the sets.
        encoded: gives the training images anew, from which these are taken by their names.
        form: of the training images.
    """

    def squares(images: Images) -> Images:
        if not isinstance(images.image_NCHW, Photographs):
            return images
        names = names_of(images)
        chosen = frozenset(names)
        digest = digest_of(form.squares, images.image_NCHW.content.stem, names)
        decoded, _ = cached(store, digest, lambda: (one for one in encoded() if one.name in chosen), form.squares)
        return replace(images, image_NCHW=decoded.image_NCHW)

    return replace(splits, validation=squares(splits.validation), test=squares(splits.test))


def encoded_files(files: Sequence[Path], labels: Sequence[int]) -> Iterator[Encoded]:
    """Files with their class numbers."""
    for file, label in zip(files, labels, strict=True):
        yield Encoded(name=str(file), source=file, label=label)


def cached_files(store: Path, files: Sequence[Path], labels: Sequence[int], form: Form) -> tuple[Images, Survey]:
    """The images of files, named by where the files are, their sizes and times."""
    digest = digest_of(form, list(_listed(files)), list(labels))
    return cached(store, digest, lambda: encoded_files(files, labels), form)


def _listed(files: Sequence[Path]) -> Iterator[tuple[str, int, int]]:
    """Where each file is with all links followed, its size and its time.

    Every process that trains asks for a million files at times, so that folders are looked up once each.
    """
    real = cache(os.path.realpath)
    for file in files:
        place = os.path.realpath(file) if file.is_symlink() else f"{real(str(file.parent))}{os.sep}{file.name}"
        state = file.stat()
        yield place, state.st_size, state.st_mtime_ns


def check_readable(survey: Survey, allowed: float, where: str) -> None:
    """Refuse data of which too much cannot be read.

    Raises:
        DataError: the images that were left out are a larger share of all than ``allowed``.
    """
    if not 0 <= allowed <= 1:
        raise DataError(f"data.unreadable is the share of images that may be left out, from 0 to 1, given {allowed}")
    count, total = len(survey.unreadable), len(survey.unreadable) + survey.images
    if count > allowed * total:
        raise DataError(
            f"{count} of {total} images of '{where}' cannot be read, and data.unreadable allows {allowed:.0%}: "
            f"{named_files(survey.unreadable)}; repair or remove them, or allow more"
        )


def named_files(files: Sequence[tuple[str, str]]) -> str:
    """The first of some files, by their reasons."""
    names: dict[str, list[str]] = {}
    for name, reason in files[:FIRST]:
        names.setdefault(reason, []).append(f"'{shown(name)}'")
    listed = "; ".join(f"{', '.join(same)} ({reason})" for reason, same in names.items())
    return listed + (f"; and {len(files) - FIRST} more" if len(files) > FIRST else "")


def shown(name: str) -> str:
    """A file's name as text that every terminal and file takes, also where it is not UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

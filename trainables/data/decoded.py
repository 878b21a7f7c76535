"""Decode images of any size and mode once, into files that trials map: what all sources on disk share.

A cached set is ``DIGEST.npy``, images (N, C, side, side), with ``DIGEST.labels.npy``, ``DIGEST.names.txt`` (a JSON
string a line) and ``DIGEST.survey.json``; they appear whole or not at all, the images last.
"""

import errno
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from trainables.predict import Decoding, Seen, UnreadableImage, decode
from trainables.splits import DataError, Images
from trainables.stored import Stored, write_whole
from trainables.survey import Survey

COPIED = 1024
"""Images that are copied at a time where cached sets are joined."""
VERSION = 3
"""Of what ``trainables.predict.decode`` makes of a file; raised with its pixels, so that no older set is read."""
UNREADABLE = 0.05
"""Share of the images that may be left out because they cannot be read, by default."""
FIRST = 5
"""Names that a message lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """An image as it is stored: its name for messages, its file or bytes, and its class number."""

    name: str
    source: Path | IO[bytes]
    label: int


@dataclass(frozen=True, slots=True)
class Item:
    """An image (C, side, side), its class number and its name."""

    image_CHW: NDArray[np.uint8]
    label: int
    name: str


@dataclass(slots=True)
class _Decoder:
    """Decodes images one after the other and remembers what they were; those that cannot be read are left out."""

    decoding: Decoding
    seen: list[Seen] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    def items(self, encoded: Iterator[Encoded]) -> Iterator[Item]:
        for one in encoded:
            try:
                image_CHW, seen = decode(one.source, self.decoding)
            except UnreadableImage as error:
                self.unreadable.append((one.name, str(error)))
                continue
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EPERM):  # the disk's fault, so perhaps another one tomorrow
                    raise DataError(f"image '{one.name}' cannot be read ({error.strerror}); check the disk") from error
                self.unreadable.append((one.name, "permission denied"))
                continue
            self.seen.append(seen)
            yield Item(image_CHW, one.label, one.name)

    def survey(self) -> Survey:
        return Survey.of(self.seen, self.unreadable)


def decoding_of(resolution: int, grey: bool, background: Any) -> Decoding:
    """The decoding that the keywords of a source describe.

    Args:
        resolution: side of the stored square images, in pixels.
        grey: one channel instead of three.
        background: under transparency: a name or ``#rrggbb`` as Pillow reads it, or three levels from 0 to 255.

    Raises:
        DataError: no such colour, or no such side.
    """
    try:
        levels = ImageColor.getrgb(background)[:3] if isinstance(background, str) else tuple(map(int, background))
        red, green, blue = levels
        return Decoding(side=resolution, channels=1 if grey else 3, background=(red, green, blue))
    except (ValueError, TypeError) as error:
        raise DataError(
            f"data.background is {background!r} and data.resolution {resolution!r}, which cannot be used ({error}); a "
            "background is a colour such as white, '#ffcc00' or [255, 204, 0]"
        ) from error


def store_of(cache: str | None) -> Path:
    """The folder of cached sets; by default in the system's temporary one."""
    return Path(cache) if cache else Path(tempfile.gettempdir()) / "nars-images"


def digest_of(decoding: Decoding, *described: Any) -> str:
    """Name of a cached set, for all that decides its content: the decoding and what is described (JSON values)."""
    return hashlib.sha256(json.dumps([VERSION, asdict(decoding), *described]).encode()).hexdigest()[:24]


def cached(
    store: Path, digest: str, encoded: Callable[[], Iterator[Encoded]], decoding: Decoding
) -> tuple[Images, Survey]:
    """The images of a cached set, which is written one image after the other if it does not exist.

    Args:
        store: folder of the cached sets.
        digest: name of this one.
        encoded: gives the images anew.
        decoding: what is made of them.
    """
    if not exists(store, digest):
        decoder = _Decoder(decoding)
        shape = (decoding.channels, decoding.side, decoding.side)
        _write(store, digest, decoder.items(encoded()), shape, decoder.survey)
    return read(store, digest)


def cached_files(
    store: Path, files: Sequence[Path], labels: Sequence[int], decoding: Decoding
) -> tuple[Images, Survey]:
    """The images of files, named by where the files are, their sizes and times."""

    def encoded() -> Iterator[Encoded]:
        for file, label in zip(files, labels, strict=True):
            yield Encoded(name=str(file), source=file, label=label)

    listing = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return cached(store, digest_of(decoding, listing, list(labels)), encoded, decoding)


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
    """The first of some files with their reasons."""
    listed = "; ".join(f"'{shown(name)}' ({reason})" for name, reason in files[:FIRST])
    return listed + (f"; and {len(files) - FIRST} more" if len(files) > FIRST else "")


def shown(name: str) -> str:
    """A file's name as text that every terminal and file takes, also where it is not UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def exists(store: Path, digest: str) -> bool:
    """Whether a cached set is there."""
    return _file(store, digest).exists()


def joined(store: Path, digest: str, pieces: Sequence[str]) -> None:
    """Make one cached set of several, in order; the pieces are removed once the whole is there."""
    parts = [read(store, piece) for piece in pieces]

    def items() -> Iterator[Item]:
        for images, _ in parts:
            names = iter(names_of(images))
            for start in range(0, len(images), COPIED):
                rows_B = np.arange(start, min(start + COPIED, len(images)))
                for image_CHW, label in zip(images.image_NCHW[rows_B], images.label_N[rows_B].tolist(), strict=True):
                    yield Item(image_CHW, label, next(names))

    def survey() -> Survey:
        return sum((part for _, part in parts), Survey())

    _write(store, digest, items(), parts[0][0].image_NCHW.shape[1:], survey)
    for piece in pieces:
        for path in (_file(store, piece), *(_file(store, piece, suffix) for suffix in BESIDE)):
            path.unlink(missing_ok=True)


BESIDE = ("labels.npy", "names.txt", "survey.json")
"""What lies beside the images of a cached set."""


def _file(store: Path, digest: str, suffix: str = "npy") -> Path:
    return store / f"{digest}.{suffix}"


def read(store: Path, digest: str) -> tuple[Images, Survey]:
    """A cached set that exists."""
    mapped: NDArray[np.uint8] = np.load(_file(store, digest), mmap_mode="r")
    stored = Stored(mapped, np.arange(len(mapped)), names=_file(store, digest, "names.txt"))
    survey = Survey.from_dict(json.loads(_file(store, digest, "survey.json").read_text(encoding="utf-8")))
    return Images(image_NCHW=stored, label_N=np.load(_file(store, digest, "labels.npy"))), survey


def names_of(images: Images) -> list[str]:
    """Name of each image's file; of those that lie in memory, their row."""
    stored = images.image_NCHW
    if not isinstance(stored, Stored) or stored.names is None:
        return [f"row {row}" for row in range(len(images))]
    names = stored.names.read_text(encoding="utf-8").splitlines()
    return [json.loads(names[row]) for row in stored.row_N]


def _write(
    store: Path, digest: str, items: Iterator[Item], shape: tuple[int, ...], survey: Callable[[], Survey]
) -> None:
    store.mkdir(parents=True, exist_ok=True)

    def write(images: IO[bytes]) -> None:
        label_N: list[int] = []
        names: list[str] = []
        _header(images, (0, *shape))
        for item in items:
            images.write(np.ascontiguousarray(item.image_CHW).tobytes())
            label_N.append(item.label)
            names.append(json.dumps(item.name))
        images.seek(0)
        _header(images, (len(label_N), *shape))  # as long as before: numpy leaves room for the first axis to grow
        # Here, since a set is taken to be whole once its images are there.
        beside: Mapping[str, Callable[[IO[bytes]], object]] = {
            "labels.npy": lambda file: np.save(file, np.array(label_N, dtype=np.int64)),
            "names.txt": lambda file: file.write("".join(f"{name}\n" for name in names).encode()),
            "survey.json": lambda file: file.write(json.dumps(survey().to_dict()).encode()),
        }
        for suffix in BESIDE:
            write_whole(_file(store, digest, suffix), beside[suffix])

    # Two processes may decode at once: each writes its own files, the later rename replaces an equal one.
    write_whole(_file(store, digest), write)


def _header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    description = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, description)

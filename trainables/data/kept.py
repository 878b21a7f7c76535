"""Sets of images as they are kept on disk: written whole or not at all, then mapped by everything that trains.

A set is a file of images with ``DIGEST.labels.npy``, ``DIGEST.names.txt`` (a JSON string a line),
``DIGEST.fingerprints.npy`` (a hash of each image's file) and ``DIGEST.survey.json``. Squares are ``DIGEST.npy``, an
array (N, C, side, side); images of their own shape are ``DIGEST.jpegs``, one after the other, with
``DIGEST.starts.npy``. The images appear last.
"""

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.decoding import Decoding, square
from trainables.photographs import QUALITY, Photographs, encoded
from trainables.splits import Images
from trainables.stored import Stored, write_whole
from trainables.survey import Survey

BESIDE = ("starts.npy", "labels.npy", "names.txt", "fingerprints.npy", "survey.json")
"""What lies beside the images of a set."""
FINGERPRINT = 16
"""Bytes of a fingerprint."""


@dataclass(frozen=True, slots=True)
class Item:
    """The bytes that are kept of an image, its class number, its name, and the fingerprint of its file."""

    content: bytes
    label: int
    name: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What is kept of an image.

    Attributes:
        decoding: from a file to the square that an evaluation sees.
        stored: 0 keeps that square; else the whole image is kept, its shorter side made smaller until it has as many
            pixels.
    """

    decoding: Decoding
    stored: int = 0

    @property
    def squares(self) -> "Form":
        """The form in which images are evaluated."""
        return Form(decoding=self.decoding)

    def content(self, image: Image.Image, decoding: Decoding) -> bytes:
        """The bytes that are kept of an upright and opaque image."""
        if self.stored:
            return encoded(image, self.stored)
        return square(image, decoding).tobytes()

    def described(self) -> list[Any]:
        """JSON values of all that decides these bytes."""
        if not self.stored:
            of_picture = asdict(self.decoding)
            return [{name: value for name, value in of_picture.items() if name not in ("frames", "step")}]
        return ["jpeg", QUALITY, self.stored, self.decoding.channels, list(self.decoding.background)]

    def file(self, store: Path, digest: str) -> Path:
        """The images of a set."""
        return store / f"{digest}.{'jpegs' if self.stored else 'npy'}"


def exists(store: Path, digest: str, form: Form) -> bool:
    """Whether a set is there, and whole: earlier versions kept no fingerprints."""
    return form.file(store, digest).exists() and _beside(store, digest, "fingerprints.npy").exists()


def read(store: Path, digest: str, form: Form) -> tuple[Images, Survey]:
    """A set that exists."""
    names = _beside(store, digest, "names.txt")
    images: Stored | Photographs
    if form.stored:
        starts = np.load(_beside(store, digest, "starts.npy"))
        rows = np.arange(len(starts) - 1)
        content = form.file(store, digest)
        images = Photographs(content=content, start_M1=starts, row_N=rows, decoding=form.decoding, names=names)
    else:
        mapped: NDArray[np.uint8] = np.load(form.file(store, digest), mmap_mode="r")
        images = Stored(mapped, np.arange(len(mapped)), names=names)
    survey = Survey.from_dict(json.loads(_beside(store, digest, "survey.json").read_text(encoding="utf-8")))
    return Images(image_NCHW=images, label_N=np.load(_beside(store, digest, "labels.npy"))), survey


def names_of(images: Images) -> list[str]:
    """Name of each image's file; of those that lie in memory, their row."""
    stored = images.image_NCHW
    if isinstance(stored, np.ndarray) or stored.names is None:
        return [f"row {row}" for row in range(len(images))]
    names = stored.names.read_text(encoding="utf-8").splitlines()
    return [json.loads(names[row]) for row in stored.row_N]


def fingerprint(source: Path | IO[bytes]) -> bytes:
    """BLAKE2b of the bytes of a file, ``FINGERPRINT`` of them.

    Raises:
        OSError: it cannot be read.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            return fingerprint(file)
    source.seek(0)
    digest = hashlib.blake2b(digest_size=FINGERPRINT)
    while chunk := source.read(1 << 20):
        digest.update(chunk)
    return digest.digest()


def fingerprints_of(images: Images) -> list[bytes]:
    """Fingerprint of each image's file; of those that come from none, of their pixels."""
    stored = images.image_NCHW
    if isinstance(stored, np.ndarray) or stored.names is None:
        return [fingerprint(io.BytesIO(np.ascontiguousarray(stored[row]).tobytes())) for row in range(len(images))]
    store, digest = stored.names.parent, stored.names.name.removesuffix(".names.txt")
    value_MF: NDArray[np.uint8] = np.load(_beside(store, digest, "fingerprints.npy"))
    return [row_F.tobytes() for row_F in value_MF[stored.row_N]]


def joined(store: Path, digest: str, pieces: Sequence[str], form: Form) -> None:
    """Make one set of several, in order; the pieces are removed once the whole is there."""
    parts = [read(store, piece, form) for piece in pieces]

    def items() -> Iterator[Item]:
        for images, _ in parts:
            known = zip(images.label_N.tolist(), names_of(images), fingerprints_of(images), strict=True)
            for row, (label, name, hashed) in enumerate(known):
                yield Item(_content(images, row), label, name, hashed)

    write(store, digest, items(), form, lambda: sum((part for _, part in parts), Survey()))
    for piece in pieces:
        for path in (form.file(store, piece), *(_beside(store, piece, suffix) for suffix in BESIDE)):
            path.unlink(missing_ok=True)


def _content(images: Images, row: int) -> bytes:
    """The bytes that are kept of an image."""
    kept = images.image_NCHW
    return kept.content_of(row) if isinstance(kept, Photographs) else np.ascontiguousarray(kept[row]).tobytes()


def _beside(store: Path, digest: str, suffix: str) -> Path:
    return store / f"{digest}.{suffix}"


def write(store: Path, digest: str, items: Iterator[Item], form: Form, survey: Callable[[], Survey]) -> None:
    """Write a set, one image after the other.

    Args:
        store: folder of the sets.
        digest: name of this one.
        items: the images.
        form: what is kept of them.
        survey: what the files were; asked for once all items have been taken.
    """
    store.mkdir(parents=True, exist_ok=True)
    shape = (form.decoding.channels, form.decoding.side, form.decoding.side)

    def write_images(images: IO[bytes]) -> None:
        label_N: list[int] = []
        names: list[str] = []
        hashed = bytearray()
        starts = [0]
        if not form.stored:
            _header(images, (0, *shape))
        for item in items:
            images.write(item.content)
            label_N.append(item.label)
            names.append(json.dumps(item.name))
            hashed.extend(item.fingerprint)
            starts.append(starts[-1] + len(item.content))
        if not form.stored:
            images.seek(0)
            _header(images, (len(label_N), *shape))  # as long as before: numpy leaves room for the first axis to grow
        # Here, since a set is taken to be whole once its images are there.
        beside: Mapping[str, Callable[[IO[bytes]], object]] = {
            "labels.npy": lambda file: np.save(file, np.array(label_N, dtype=np.int64)),
            "names.txt": lambda file: file.write("".join(f"{name}\n" for name in names).encode()),
            "fingerprints.npy": lambda file: np.save(
                file, np.frombuffer(hashed, dtype=np.uint8).reshape(-1, FINGERPRINT)
            ),
            "survey.json": lambda file: file.write(json.dumps(survey().to_dict()).encode()),
            **({"starts.npy": lambda file: np.save(file, np.array(starts, dtype=np.int64))} if form.stored else {}),
        }
        for suffix, write_beside in beside.items():
            write_whole(_beside(store, digest, suffix), write_beside)

    # Two processes may decode at once: each writes its own files, the later rename replaces an equal one.
    write_whole(form.file(store, digest), write_images)


def _header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    description = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, description)

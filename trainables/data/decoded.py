"""Decode images of any size and mode once, into files that trials map: what all sources on disk share.

A cached set is ``DIGEST.npy``, images (N, C, side, side), and ``DIGEST.labels.npy``; both appear whole or not at all.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from trainables.splits import DataError, Images
from trainables.stored import Stored, write_whole

Item = tuple[NDArray[np.uint8], int]
"""An image (C, side, side) and its class number."""

COPIED = 1024
"""Images that are copied at a time where cached sets are joined."""


def store_of(cache: str | None) -> Path:
    """The folder of cached sets; by default in the system's temporary one."""
    return Path(cache) if cache else Path(tempfile.gettempdir()) / "nars-images"


def digest_of(*described: Any) -> str:
    """Name of a cached set, for what decides its content (JSON values)."""
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()[:24]


def square(source: Path | IO[bytes], name: str, resolution: int, grey: bool) -> NDArray[np.uint8]:
    """One image as (C, resolution, resolution): shorter side resized, centre cropped.

    Args:
        source: file or stream of an encoded image.
        name: of the image, for the message.
        resolution, grey: side in pixels, and whether there is one channel instead of three.

    Raises:
        DataError: it is no image that can be read.
    """
    try:
        with Image.open(source) as image:
            upright = ImageOps.exif_transpose(image)
            # Palettes and transparency: composite on black through RGBA, so that no mode is misread.
            solid = Image.alpha_composite(Image.new("RGBA", upright.size, "black"), upright.convert("RGBA"))
            fitted = ImageOps.fit(solid.convert("L" if grey else "RGB"), (resolution, resolution))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DataError(f"image '{name}' cannot be read ({error}); repair or remove it") from error
    array = np.asarray(fitted, dtype=np.uint8)
    return array[None] if grey else array.transpose(2, 0, 1)


def cached(store: Path, digest: str, items: Callable[[], Iterator[Item]], resolution: int, grey: bool) -> Images:
    """The images of a cached set, which is written one image after the other if it does not exist.

    Args:
        store: folder of the cached sets.
        digest: name of this one.
        items: makes the images anew.
        resolution, grey: what the images are like.
    """
    if not _file(store, digest).exists():
        _write(store, digest, items(), (1 if grey else 3, resolution, resolution))
    return read(store, digest)


def cached_files(store: Path, files: Sequence[Path], labels: Sequence[int], resolution: int, grey: bool) -> Images:
    """The images of files, named by where the files are, their sizes and times."""

    def items() -> Iterator[Item]:
        for file, label in zip(files, labels, strict=True):
            yield square(file, str(file), resolution, grey), label

    listing = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return cached(store, digest_of(listing, list(labels), resolution, grey), items, resolution, grey)


def exists(store: Path, digest: str) -> bool:
    """Whether a cached set is there."""
    return _file(store, digest).exists()


def joined(store: Path, digest: str, pieces: Sequence[str]) -> None:
    """Make one cached set of several, in order; the pieces are removed once the whole is there."""
    parts = [read(store, piece) for piece in pieces]

    def items() -> Iterator[Item]:
        for part in parts:
            for start in range(0, len(part), COPIED):
                rows_B = np.arange(start, min(start + COPIED, len(part)))
                yield from zip(part.image_NCHW[rows_B], part.label_N[rows_B].tolist(), strict=True)

    _write(store, digest, items(), parts[0].image_NCHW.shape[1:])
    for piece in pieces:
        _file(store, piece).unlink(missing_ok=True)
        _labels(store, piece).unlink(missing_ok=True)


def _file(store: Path, digest: str) -> Path:
    return store / f"{digest}.npy"


def _labels(store: Path, digest: str) -> Path:
    return store / f"{digest}.labels.npy"


def read(store: Path, digest: str) -> Images:
    """A cached set that exists."""
    mapped: NDArray[np.uint8] = np.load(_file(store, digest), mmap_mode="r")
    return Images(image_NCHW=Stored(mapped, np.arange(len(mapped))), label_N=np.load(_labels(store, digest)))


def _write(store: Path, digest: str, items: Iterator[Item], shape: tuple[int, ...]) -> None:
    store.mkdir(parents=True, exist_ok=True)

    def write(images: IO[bytes]) -> None:
        label_N: list[int] = []
        _header(images, (0, *shape))
        for image_CHW, label in items:
            images.write(np.ascontiguousarray(image_CHW).tobytes())
            label_N.append(label)
        images.seek(0)
        _header(images, (len(label_N), *shape))  # as long as before: numpy leaves room for the first axis to grow
        # Here, since a set is taken to be whole once its images are there.
        write_whole(_labels(store, digest), lambda labels: np.save(labels, np.array(label_N, dtype=np.int64)))

    # Two processes may decode at once: each writes its own files, the later rename replaces an equal one.
    write_whole(_file(store, digest), write)


def _header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    description = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, description)

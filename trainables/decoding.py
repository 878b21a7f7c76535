"""From an image file to the pixels of a network.

Data sources decode with this file, and the ``predict.py`` of every exported member has it in itself
(``search.family.portable``), so that a member sees in a photograph what it saw in training. It imports nothing of this
project: NumPy and Pillow are enough.
"""

import contextlib
import math
import os
import stat
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

EXTENSIONS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm",
    ".pnm", ".avif", ".jp2",
)  # fmt: skip
"""Names of files that are read as images, in any case."""
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "AVIF", "JPEG2000")
"""What Pillow may take a file for, whatever its name: an EPS would start Ghostscript."""
RULES = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
"""Rules of resizing, by timm's names."""
MOST_PIXELS = 178_956_970
"""Of a resized image: as many as Pillow opens."""
ORIENTATION = 0x0112
"""Number of the EXIF tag that says how a camera was held; 1 is upright."""
SYSTEM_NAMES = (
    "__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information",
    "lost+found",
)  # fmt: skip
"""What systems and network drives leave in folders, beside names that begin with a dot."""


JOINERS = "\u200c\u200d"
"""Parts of letters and of emoji, which can be shown beside others."""


class UnreadableImage(ValueError):
    """A file that is no image, or one whose pixels cannot be known; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """The way from an image file to square pixels of eight bits, the same in training and at work.

    The first picture of the file is turned upright, transparency is laid on the background, the shorter side is resized
    (antialiased) to ``floor(side / crop_pct)``, and the middle is cropped: timm's evaluation transform.

    Attributes:
        side: of the square, in pixels.
        channels: of a picture: 3, or 1 for grey.
        background: red, green and blue, 0 to 255.
        interpolation: one of ``RULES``.
        crop_pct: side of the crop as a share of the resized shorter side, in (0, 1].
        frames: pictures of a clip, whose channels come one picture's after another's; 1 for images.
        step: a clip has every ``step``-th picture of its object.
    """

    side: int
    channels: int = 3
    background: tuple[int, int, int] = (255, 255, 255)
    interpolation: str = "bicubic"
    crop_pct: float = 1.0
    frames: int = 1
    step: int = 1

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ValueError(f"images have a side of one pixel or more, given {self.side}")
        if self.interpolation not in RULES:
            raise ValueError(f"images are resized by {', '.join(RULES)}, given '{self.interpolation}'")
        if not 0 < self.crop_pct <= 1:
            raise ValueError(f"crop_pct is a share in (0, 1], given {self.crop_pct}")
        if len(self.background) != 3 or not all(0 <= level <= 255 for level in self.background):
            raise ValueError(f"a background is three levels from 0 to 255, given {self.background}")
        if self.frames < 1 or self.step < 1:
            raise ValueError(f"a clip has one frame or more, one apart or more, given {self.frames} and {self.step}")

    @property
    def depth(self) -> int:
        """Channels of an image or of a clip."""
        return self.channels * self.frames


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a file was before it was decoded.

    Attributes:
        format, mode: Pillow's names, such as ``PNG`` and ``RGBA``.
        width, height: upright, in pixels.
        turned: whether its EXIF orientation turned it.
        transparent: whether it can be seen through somewhere.
        pictures: whether it holds more than the first, which is the one that is read.
    """

    format: str
    mode: str
    width: int
    height: int
    turned: bool
    transparent: bool
    pictures: bool


def decode(source: Path | IO[bytes], decoding: Decoding) -> tuple[NDArray[np.uint8], Seen]:
    """Pixels (channels, side, side) of an image file, and what the file was.

    Raises:
        UnreadableImage: it is no image, is damaged, or has pixels of unknown range.
        OSError: the file system cannot read it, with an ``errno``.
    """
    return read(source, decoding, square)


Made = TypeVar("Made")


def read(
    source: Path | IO[bytes], decoding: Decoding, make: Callable[[Image.Image, Decoding], Made]
) -> tuple[Made, Seen]:
    """What is made of an image file's first picture, upright and opaque, of eight bits and the decoding's channels.

    Raises:
        UnreadableImage: it is no image, is damaged, or has pixels of unknown range.
        OSError: the file system cannot read it, with an ``errno``.
    """
    with _one_error(), Image.open(source, formats=_formats()) as image:
        image.load()
        upright, transparent, made = _made(image, decoding, make)
        seen = Seen(
            format=str(image.format),
            mode=image.mode,
            width=upright.width,
            height=upright.height,
            turned=image.getexif().get(ORIENTATION, 1) not in (0, 1),
            transparent=transparent,
            pictures=bool(getattr(image, "is_animated", False)),
        )
    return made, seen


def pictures(source: Path | IO[bytes], decoding: Decoding) -> list[NDArray[np.uint8]]:
    """Pixels (channels, side, side) of every picture of a file, in its order.

    Raises:
        UnreadableImage, OSError: as ``decode``.
    """
    with _one_error(), Image.open(source, formats=_formats()) as image:
        found = []
        for number in range(_count(image)):
            image.seek(number)
            found.append(_made(image, decoding, square)[2])
    return found


def _count(image: Image.Image) -> int:
    """Pictures of a file. What else an MPO has is of another lens, or no picture for people."""
    return 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))


def _made(
    image: Image.Image, decoding: Decoding, make: Callable[[Image.Image, Decoding], Made]
) -> tuple[Image.Image, bool, Made]:
    """The picture upright, whether it can be seen through, and what is made of it."""
    upright = ImageOps.exif_transpose(image)
    solid, transparent = _opaque(_eight_bits(upright, str(image.format)), decoding)
    return upright, transparent, make(solid, decoding)


def has_several(file: Path) -> bool:
    """Whether a file can be read and holds more than one picture."""
    with contextlib.suppress(UnreadableImage, OSError), _one_error(), Image.open(file, formats=_formats()) as image:
        return _count(image) > 1
    return False  # what cannot be read is said once it is read


@contextlib.contextmanager
def _one_error() -> Iterator[None]:
    """All that Pillow may raise of a file that it cannot read is ``UnreadableImage``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd EXIF, palettes and large sizes, all of which are read
            yield
    except UnreadableImage:
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        raise UnreadableImage(_reason(error)) from error
    except (SyntaxError, ValueError, TypeError, IndexError, KeyError, OverflowError, EOFError, MemoryError) as error:
        raise UnreadableImage(_reason(error)) from error
    except (ArithmeticError, AttributeError, AssertionError, Image.DecompressionBombError) as error:
        raise UnreadableImage(_reason(error)) from error


def _formats() -> list[str]:
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _reason(error: BaseException) -> str:
    words = " ".join(str(error).split())
    if words.startswith("cannot identify image file"):
        return "it is no image of a known format"
    return words[:200] or type(error).__name__


def _eight_bits(image: Image.Image, kind: str) -> Image.Image:
    """Levels of more than eight bits, scaled by their type: 16-bit integers, and floats from 0 to 1."""
    sixteen = image.mode.startswith("I;16") or (image.mode == "I" and kind in ("PNG", "PPM"))
    if sixteen:
        return Image.fromarray(np.round(np.asarray(image, dtype=np.float64) / 257.0).astype(np.uint8))
    if image.mode == "I":
        raise UnreadableImage("its pixels are 32-bit integers of unknown range; save it with 8 or 16 bits")
    if image.mode == "F":
        level_HW = np.asarray(image)
        if not (np.isfinite(level_HW).all() and level_HW.min() >= 0 and level_HW.max() <= 1):
            raise UnreadableImage("its pixels are floats beyond 0 to 1; save it with 8 or 16 bits")
        return Image.fromarray(np.round(level_HW * 255.0).astype(np.uint8))
    return image


def _opaque(image: Image.Image, decoding: Decoding) -> tuple[Image.Image, bool]:
    """The image on the background, and whether any of it shows."""
    mode = {1: "L", 3: "RGB"}.get(decoding.channels)
    if mode is None:
        raise UnreadableImage(f"a file gives one channel or three, and the network takes {decoding.channels}")
    if not image.has_transparency_data:
        return image.convert(mode), False
    coloured = image.convert("RGBA")
    canvas = Image.new("RGBA", image.size, (*decoding.background, 255))
    transparent = bool(np.asarray(coloured.getchannel("A")).min() < 255)
    return Image.alpha_composite(canvas, coloured).convert(mode), transparent


def square(image: Image.Image, decoding: Decoding) -> NDArray[np.uint8]:
    """Pixels (channels, side, side) of the middle.

    Resized as a whole, then cropped: resizing the crop alone clips other levels, and is not what timm does.
    """
    side, (width, height) = decoding.side, image.size
    short = math.floor(side / decoding.crop_pct)
    full = (short, int(short * height / width)) if width <= height else (int(short * width / height), short)
    if full[0] * full[1] > MOST_PIXELS:
        raise UnreadableImage(f"it has {width} x {height} pixels, which are too long for a square")
    left, top = (round((length - side) / 2.0) for length in full)
    resized = image.resize(full, RULES[decoding.interpolation]).crop((left, top, left + side, top + side))
    array = np.asarray(resized, dtype=np.uint8)
    return array[None] if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1))


def windows(count: int, frames: int, step: int) -> Iterator[range]:
    """Which of the ``count`` pictures of an object each of its clips has.

    None is in two clips; of those that a step skips, each is in a clip of its own.
    """
    for first in range(0, count - (frames - 1) * step, frames * step):
        for start in range(first, min(first + step, count - (frames - 1) * step)):
            yield range(start, start + (frames - 1) * step + 1, step)


def clips(pixel_CHW: Iterator[NDArray[np.uint8]], decoding: Decoding) -> Iterator[NDArray[np.uint8]]:
    """Clips (depth, side, side) of an object's pictures, as ``windows`` cuts them; the pictures where frames is 1."""
    while block := list(islice(pixel_CHW, decoding.frames * decoding.step)):
        for window in windows(len(block), decoding.frames, decoding.step):
            yield np.concatenate([block[number] for number in window])


def image_files(folder: Path) -> tuple[list[Path], Counter[str]]:
    """Images below a folder at any depth, in order of their paths, and how many other files there are of each kind.

    Links are followed, in circles only once. Hidden files, what operating systems leave behind, broken links and what
    is no regular file (a pipe would be read for ever) are skipped.
    """
    images: list[Path] = []
    skipped: Counter[str] = Counter()
    visited: set[tuple[int, int]] = set()
    for root, folders, names in os.walk(folder, followlinks=True, onerror=_raise):
        entry = Path(root).stat()
        if (entry.st_dev, entry.st_ino) in visited:
            folders.clear()
            continue
        visited.add((entry.st_dev, entry.st_ino))
        hidden = [name for name in folders if is_hidden(name)]
        skipped["hidden folder"] += len(hidden)
        folders[:] = sorted(set(folders).difference(hidden))
        for name in names:
            kind = _kind(Path(root, name))
            if kind is None:
                images.append(Path(root, name))
            else:
                skipped[kind] += 1
    return sorted(images), +skipped


def _raise(error: OSError) -> None:
    raise error


def is_shown(text: str) -> bool:
    """Whether all characters can be shown: those that join letters and emoji can, as parts of others."""
    return all(letter.isprintable() or letter in JOINERS for letter in text)


def is_hidden(name: str) -> bool:
    """Whether a file or folder is none of the user's."""
    return name.startswith(".") or name in SYSTEM_NAMES


def _kind(path: Path) -> str | None:
    """None for an image, else what a file is."""
    if is_hidden(path.name):
        return "hidden"
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return "broken link"
    if not regular:
        return "no regular file"
    extension = path.suffix.lower()
    return None if extension in EXTENSIONS else extension or "without extension"

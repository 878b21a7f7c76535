"""From an image file to the pixels of a network and, run as a script, to its classes.

Data sources decode with this file, and every exported member has a copy of it, so that a member sees in a photograph
what it saw in training. It imports nothing of this project: NumPy, Pillow and, as a script, ONNX Runtime are enough::

    python predict.py photo.jpg more/photos --json

A network of clips takes folders of frames and files with several pictures, each as one object.
"""

import argparse
import contextlib
import importlib.util
import json
import math
import os
import re
import stat
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import IO, Any, TypeVar

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
COMPARE = "compare the member's files: sha256sum -c SHA256SUMS"


class DamagedMember(Exception):
    """A file of the exported member cannot be used; the message names it."""


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


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the likeliest classes of images; 0 if all were read, 1 if some were not, 2 if nothing could be done."""
    own = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description="The likeliest classes of images, or of clips.")
    of_clips = "for a network of clips, a file with several pictures, or a folder of frames"
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help=f"an image, or a folder of images; {of_clips}"
    )
    parser.add_argument("--top", type=int, default=5, help="classes an image (5)")
    parser.add_argument("--json", action="store_true", help="a JSON list in place of lines")
    parser.add_argument(
        "--labels", nargs="+", metavar="TEXT", help="names these, such as 'a cat' 'a dog', not its classes"
    )
    parser.add_argument("--model", type=Path, default=own / "model.onnx", help="another graph of this member")
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        answers = list(predictions(own, options.model, options.paths, max(1, options.top), options.labels))
    except (OSError, ImportError, DamagedMember) as error:
        print(f"predict.py: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(answers, indent=1))
    for answer in [] if options.json else answers:
        classes = ", ".join(f"{one['class']} {one['probability']:.4f}" for one in answer.get("classes", ()))
        name = "".join(one if is_shown(one) else repr(one)[1:-1] for one in answer["file"])
        print(f"{name}: {classes or 'not read: ' + answer['error']}")
    return int(any("error" in answer for answer in answers))


def _listed(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            files, _ = image_files(path)
            if not files:
                raise FileNotFoundError(f"'{path}' has no image ({', '.join(EXTENSIONS)})")
            yield from files
        elif path.is_file():
            yield path
        elif path.exists():  # reading a pipe would wait for whoever writes into it
            raise OSError(f"'{path}' is no regular file; name an image, or a folder of images")
        else:
            raise FileNotFoundError(f"'{path}' does not exist")


def _objects(paths: Sequence[Path]) -> Iterator[tuple[Path, list[Path]]]:
    """Objects of clips: a file that is named or has several pictures, or all other files of a folder."""
    for path in paths:
        files = list(_listed([path]))
        alone = [file for file in files if file == path or _several(file)]
        yield from ((file, [file]) for file in alone)
        frames = sorted(set(files).difference(alone), key=lambda file: (str(file.parent), _numbers(file.name)))
        yield from ((folder, list(own)) for folder, own in groupby(frames, key=lambda file: file.parent))


def _several(file: Path) -> bool:
    with contextlib.suppress(UnreadableImage, OSError), _one_error(), Image.open(file, formats=_formats()) as image:
        return _count(image) > 1
    return False  # what cannot be read is said once it is read


def _numbers(name: str) -> list[Any]:
    """A key by which frame 2 comes before frame 10."""
    return [int(part) if odd % 2 else part for odd, part in enumerate(re.split(r"(\d+)", name))]


def _pixels(files: Sequence[Path], decoding: Decoding) -> Iterator[NDArray[np.uint8]]:
    """Pictures of an object: the first of an image's file, all of a clip's files."""
    for file in files:
        try:
            yield from pictures(file, decoding) if decoding.frames > 1 else (decode(file, decoding)[0],)
        except UnreadableImage as error:
            raise UnreadableImage(f"{file.name}: {error}" if len(files) > 1 else str(error)) from error


def predictions(
    folder: Path, model: Path, paths: Sequence[Path], top: int, labels: Sequence[str] | None = None
) -> Iterator[dict[str, Any]]:
    """Of each file the likeliest classes with their probabilities, or why it was not read.

    Args:
        folder: of the exported member.
        model: its ONNX graph.
        paths: images and folders of images. Of a network of clips, an object is a file with several pictures or a
            folder of frames, and its probabilities are the mean of those of its clips.
        top: how many classes.
        labels: texts in place of its classes; the member was pretrained with captions.

    Raises:
        FileNotFoundError: it was not, or there is no such path.
        DamagedMember: its description or its graph cannot be used.
    """
    described = folder / "input.json"
    try:
        content = json.loads(described.read_text(encoding="utf-8"))
        decoding = Decoding(**{**content["decoding"], "background": tuple(content["decoding"]["background"])})
        names = content["classes"] if labels is None else labels
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedMember(f"'{described}' is damaged ({' '.join(str(error).split())[:100]}); {COMPARE}") from error
    objects = list(_objects(paths)) if decoding.frames > 1 else [(file, [file]) for file in _listed(paths)]
    scores: Callable[[NDArray[Any]], NDArray[np.floating[Any]]]
    scores = _graph(model, "logits") if labels is None else _by_texts(folder, labels)
    for name, files in objects:
        try:
            share_MK = np.array([_shares(scores(clip_DHW[None])[0]) for clip_DHW in _inputs(files, decoding)])
        except (UnreadableImage, OSError) as error:
            yield {"file": str(name), "error": str(error)}
            continue
        share_K = share_MK.mean(axis=0)
        best = np.argsort(-share_K, kind="stable")[:top]
        named = [{"class": names[k], "probability": round(float(share_K[k]), 6)} for k in best]
        yield {"file": str(name), "classes": named, **({"clips": len(share_MK)} if decoding.frames > 1 else {})}


def _inputs(files: Sequence[Path], decoding: Decoding) -> Iterator[NDArray[np.float32]]:
    """What a graph takes of an object, at least once."""
    found = False
    for clip_DHW in clips(_pixels(files, decoding), decoding):
        found = True
        yield clip_DHW.astype(np.float32) / np.float32(255.0)
    if not found:
        fewest = (decoding.frames - 1) * decoding.step + 1
        raise UnreadableImage(
            f"it has fewer than {fewest} pictures, and a clip has {decoding.frames}, {decoding.step} apart; name a "
            "folder of frames, or a file with several pictures"
        )


def _shares(score_K: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Probabilities of scores."""
    share_K: NDArray[np.float64] = np.exp(score_K.astype(np.float64) - float(score_K.max()))
    share_K /= share_K.sum()
    return share_K


def _graph(path: Path, output: str) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
    """An ONNX graph of one input and one output."""
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # the library has many
        reason = " ".join(str(error).split())[:100]
        raise DamagedMember(f"'{path}' is missing, or no graph that can be run ({reason}); {COMPARE}") from error
    name = session.get_inputs()[0].name

    def run(value: NDArray[Any]) -> NDArray[np.float32]:
        answer: NDArray[np.float32] = session.run([output], {name: value})[0]
        return answer

    return run


def _by_texts(folder: Path, labels: Sequence[str]) -> Callable[[NDArray[Any]], NDArray[np.floating[Any]]]:
    """Scores of texts, by a member's text tower."""
    described = folder / "texts.json"
    if not described.is_file():
        raise FileNotFoundError(
            f"--labels needs a member that was pretrained with captions; '{folder}' has no texts.json"
        )
    content = json.loads(described.read_text(encoding="utf-8"))
    spec = importlib.util.spec_from_file_location("tokens", folder / "tokens.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    token_KL = module.tokens(labels, content["sizes"]["length"]).astype(np.int64)
    label_KE = _graph(folder / "texts.onnx", "direction")(token_KL)
    directions = _graph(folder / "image.onnx", "direction")
    return lambda image_NCHW: float(content["scale"]) * directions(image_NCHW) @ label_KE.T


if __name__ == "__main__":
    sys.exit(main())

"""Files of odd images, and of none."""

import io
import struct
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n"


def picture(seed: int, side: int = 12) -> Image.Image:
    """Noise."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8))


def _of_mode(seed: int, mode: str) -> Image.Image:
    if mode in ("I;16", "I", "F"):
        value_HW = np.random.default_rng(seed).random((12, 12))
        kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        return Image.fromarray((value_HW * (1 if mode == "F" else 60_000)).astype(kind))
    if mode in ("LAB", "HSV"):
        return (
            Image.fromarray(np.asarray(picture(seed)), mode="RGB").convert("HSV")
            if mode == "HSV"
            else Image.fromarray(np.asarray(picture(seed)).copy(), mode="LAB")
        )
    return picture(seed).convert(mode)


def can_save(mode: str, ending: str) -> bool:
    """Whether Pillow writes this mode in files of this kind."""
    try:
        _of_mode(0, mode).save(io.BytesIO(), {".png": "PNG", ".tif": "TIFF", ".jpg": "JPEG"}[ending])
    except (OSError, ValueError):
        return False
    return True


def all_of(root: Path, classes: tuple[str, ...], mode: str, ending: str) -> None:
    """Eight images of a mode a class."""
    for row, name in enumerate(classes):
        (root / name).mkdir()
        for image in range(8):
            _of_mode(100 * row + image, mode).save(root / name / f"{image}{ending}")


def disguised(folder: Path, seed: int) -> None:
    """A JPEG under the name of a PNG."""
    folder.mkdir(exist_ok=True)
    picture(hash_of(folder.name) + seed).save(folder / f"{seed}.png", "JPEG")


def hash_of(name: str) -> int:
    """The same in every process."""
    return zlib.crc32(name.encode()) % 100_000


def cut(path: Path, share: float, side: int) -> None:
    """A file that ends early."""
    content = io.BytesIO()
    picture(1, side).save(content, "JPEG" if path.suffix == ".jpg" else "PNG")
    path.write_bytes(content.getvalue()[: int(share * len(content.getvalue()))])


def bomb() -> bytes:
    """A PNG of a few hundred bytes with 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def sized(root: Path, classes: tuple[str, ...], size: tuple[int, int]) -> None:
    """Three images of a size a class, where they are large; else eight."""
    for row, name in enumerate(classes):
        (root / name).mkdir()
        for image in range(4 if max(size) > 3500 else 8):
            picture(100 * row + image).resize(size).save(root / name / f"{image}.jpg")


def transparent(root: Path, classes: tuple[str, ...]) -> None:
    """Black drawings on nothing."""
    for row, name in enumerate(classes):
        (root / name).mkdir()
        for image in range(8):
            alpha = picture(100 * row + image).convert("L")
            drawing = Image.new("RGBA", alpha.size)
            drawing.putalpha(alpha)
            drawing.save(root / name / f"{image}.png")


def blank(root: Path, classes: tuple[str, ...]) -> None:
    """Images of one colour."""
    for row, name in enumerate(classes):
        (root / name).mkdir()
        for image in range(8):
            Image.new("RGB", (12, 12), (row, image, 7)).save(root / name / f"{image}.png")


def turned(root: Path, classes: tuple[str, ...]) -> None:
    """Photographs that lie on their side, as their EXIF says."""
    for row, name in enumerate(classes):
        (root / name).mkdir()
        for image in range(8):
            exif = Image.Exif()
            exif[0x0112] = 6
            picture(100 * row + image).save(root / name / f"{image}.jpg", exif=exif)


def animated(root: Path, classes: tuple[str, ...]) -> None:
    """Films of three frames."""
    for row, name in enumerate(classes):
        (root / name).mkdir()
        for image in range(8):
            frames = [picture(1000 * row + 10 * image + frame) for frame in range(3)]
            frames[0].save(root / name / f"{image}.gif", save_all=True, append_images=frames[1:])


def shards() -> dict[str, Callable[[Path], object]]:
    """Wrong WebDataset shards by what is wrong with them."""
    image = io.BytesIO()
    picture(1).save(image, "PNG")
    png = image.getvalue()
    return {
        "missing": lambda path: None,
        "empty": lambda path: path.write_bytes(b""),
        "zeros": lambda path: path.write_bytes(bytes(10_240)),
        "text": lambda path: path.write_text("no tar"),
        "folder": lambda path: path.mkdir(),
        "no samples": lambda path: _tar(path, {}),
        "images without classes": lambda path: _tar(path, {f"{i}.png": png for i in range(30)}),
        "classes without images": lambda path: _tar(path, {f"{i}.cls": b"1" for i in range(30)}),
        "a large class": lambda path: _tar(path, {**_samples(png), "x.png": png, "x.cls": b"999999999999"}),
        "a negative class": lambda path: _tar(path, {**_samples(png), "x.png": png, "x.cls": b"-1"}),
        "a class that is no number": lambda path: _tar(path, {**_samples(png), "x.png": png, "x.cls": b"\xff\xfe"}),
        "one class": lambda path: _tar(path, _samples(png, label=b"0")),
        "broken images": lambda path: _tar(path, _samples(b"x")),
        "cut": lambda path: (_tar(path, _samples(png)), path.write_bytes(path.read_bytes()[:3000])),
    }


def _samples(png: bytes, label: bytes | None = None) -> dict[str, bytes]:
    """Thirty samples of three classes, or of one."""
    pairs = {f"{i}.png": png for i in range(30)}
    return pairs | {f"{i}.cls": str(i % 3).encode() if label is None else label for i in range(30)}


def _tar(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))

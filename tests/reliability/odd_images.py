"""Odd images, and what else lies in folders of images, by what they are, and by their names."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.reliability import files
from tests.reliability.judging import Expected
from tests.reliability.odd import CLASSES, Odd, beside, pictures


def cases() -> Iterator[Odd]:
    """All of them."""
    yield from _odd_files()
    yield from _odd_images()
    yield from _odd_names()


def _odd_files() -> Iterator[Odd]:
    def add(name: str, write: Callable[[Path], object], expected: Expected, *words: str, keywords: str = "") -> Odd:
        return Odd(
            name=f"file: {name}",
            make=beside(lambda root: write(root / "bus" / name)),
            expected=expected,
            words=words,
            keywords=keywords,
        )

    yield add("empty.png", lambda path: path.write_bytes(b""), "either", "empty.png")
    yield add("zeros.png", lambda path: path.write_bytes(bytes(5000)), "either", "zeros.png")
    yield add("text.png", lambda path: path.write_text("no image"), "either", "text.png")
    yield add("postscript.png", lambda path: path.write_bytes(files.POSTSCRIPT), "either", "postscript.png")
    yield add(
        "vector.png", lambda path: path.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>"), "either", "vector.png"
    )
    yield add("portable.png", lambda path: path.write_bytes(b"%PDF-1.4\n"), "either", "portable.png")
    yield add("vector.svg", lambda path: path.write_text("<svg/>"), "fine", ".svg")
    yield add("film.mp4", lambda path: path.write_bytes(b"x"), "fine", "video")
    yield add("phone.heic", lambda path: path.write_bytes(b"x"), "fine", ".heic")
    yield add("notes.txt", lambda path: path.write_text("x"), "fine", ".txt")
    yield add("bomb.png", lambda path: path.write_bytes(files.bomb()), "either", "bomb.png")
    yield add("pipe.png", lambda path: os.mkfifo(path), "either", "no regular file")
    yield add("nowhere.png", lambda path: path.symlink_to("/nowhere.png"), "either", "broken link")
    yield add("loop.png", lambda path: path.symlink_to(path), "either", "broken link")
    yield add("folder.png", lambda path: path.mkdir(), "either", "classes")
    yield add("device.png", lambda path: path.symlink_to("/dev/zero"), "either", "no regular file")
    yield add(
        "closed.png", lambda path: (files.picture(1).save(path), path.chmod(0)), "either", "closed.png", "classes"
    )
    for name in ("._0.png", ".DS_Store", "Thumbs.db", ".hidden.png", "desktop.ini"):
        yield add(name, lambda path: path.write_bytes(b"Mac OS X"), "fine", "3 classes")
    for share in (0.05, 0.3, 0.6, 0.9, 0.99):
        yield add(
            f"cut{share}.png", lambda path, share=share: files.cut(path, share, 64), "either", f"cut{share}", "classes"
        )
        yield add(
            f"cut{share}.jpg", lambda path, share=share: files.cut(path, share, 64), "either", f"cut{share}", "classes"
        )
    yield Odd(
        name="half of the images are broken",
        make=lambda root: (pictures(root), [path.write_bytes(b"x") for path in list(root.rglob("*.png"))[::2]]),
        words=("cannot be read",),
    )
    yield Odd(
        name="all images are broken",
        make=lambda root: (pictures(root), [path.write_bytes(b"x") for path in root.rglob("*.png")]),
        words=("cannot be read",),
    )
    for folder in ("__MACOSX", ".ipynb_checkpoints", "@eaDir", ".git"):
        yield Odd(
            name=f"folder {folder}",
            make=beside(lambda root, folder=folder: pictures(root / folder / "bus", (".",))),
            expected="fine",
            words=("3 classes",),
        )
        yield Odd(
            name=f"folder bus/{folder}",
            make=beside(lambda root, folder=folder: pictures(root / "bus", (folder,), seed=3)),
            expected="fine",
            words=("24 images",),
        )


def _odd_images() -> Iterator[Odd]:
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I", "F", "CMYK", "YCbCr", "LAB", "HSV"):
        for ending in (".png", ".tif", ".jpg"):
            if files.can_save(mode, ending):
                yield Odd(
                    name=f"{mode} in {ending}",
                    make=lambda root, mode=mode, ending=ending: files.all_of(root, CLASSES, mode, ending),
                    expected="either" if mode == "I" else "fine",
                    words=("0 blank images", "32-bit"),
                )
    for ending in (".gif", ".bmp", ".webp", ".ppm", ".jfif", ".JPG", ".Png", ".jp2"):
        yield Odd(
            name=f"ending {ending}",
            make=lambda root, ending=ending: pictures(root, ending=ending),
            expected="fine",
            words=("24 images",),
        )
    yield Odd(
        name="jpeg named png",
        make=lambda root: [files.disguised(root / name, i) for name in CLASSES for i in range(8)],
        expected="fine",
        words=("JPEG 24",),
    )
    for width, height in ((1, 1), (1, 3000), (3000, 1), (2, 2), (4000, 3000)):
        yield Odd(
            name=f"{width} x {height} pixels",
            make=lambda root, size=(width, height): files.sized(root, CLASSES, size),
            expected="either",
            words=("files:", "pixel", "image"),
        )
    yield Odd(
        name="transparent black",
        make=lambda root: files.transparent(root, CLASSES),
        expected="fine",
        words=("transparency",),
    )
    yield Odd(
        name="blank images", make=lambda root: files.blank(root, CLASSES), expected="fine", words=("24 blank images",)
    )
    yield Odd(
        name="turned by EXIF", make=lambda root: files.turned(root, CLASSES), expected="fine", words=("turned upright",)
    )
    yield Odd(
        name="several frames",
        make=lambda root: files.animated(root, CLASSES),
        expected="fine",
        words=("several pictures",),
    )


def _odd_names() -> Iterator[Odd]:
    for name in (
        "with blank",
        "ünïcode",
        "日本",
        "$x^2$",
        "<script>alert(1)</script>",
        "a,b;c|d",
        "x" * 200,
        "'quoted'",
        "[red]",
        "-rf",
        "100%",
        "{a}",
        "~",
        "NUL",
        "true",
        "0",
    ):
        yield Odd(
            name=f"class {name[:20]}",
            make=lambda root, name=name: pictures(root, (*CLASSES[:2], name)),
            expected="fine",
            words=("3 classes",),
        )
    for name in (
        "two\nlines",
        "bell\x07",
        "tab\there",
        b"latin\xe9".decode("utf-8", "surrogateescape"),
        "turned\u202eround",
    ):
        yield Odd(
            name=f"class {name!r}",
            make=lambda root, name=name: pictures(root, (*CLASSES[:2], name)),
            words=("name of class folder",),
        )
    yield Odd(
        name="one class in two forms of Unicode",
        make=lambda root: pictures(root, ("caf\u00e9", "cafe\u0301", "bus")),
        words=("two forms",),
    )
    yield Odd(
        name="classes that differ in case",
        make=lambda root: pictures(root, ("bus", "Bus", "car")),
        expected="either",
        words=("Bus", "3 classes"),
    )
    for name in (
        "with blank.png",
        "ünï.png",
        "two\nlines.png",
        b"latin\xe9.png".decode("utf-8", "surrogateescape"),
        "$x$.png",
        "[red].png",
        "x" * 240 + ".png",
    ):
        yield Odd(
            name=f"image {name[:20]!r}",
            make=beside(lambda root, name=name: files.picture(77).save(root / "bus" / name)),
            expected="either",
            words=("25 images", "name"),
        )

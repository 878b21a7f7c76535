"""Odd data folders: layouts, keywords that make no sense, shards; with the odd images of their own module."""

from collections.abc import Iterator

from tests.reliability import files, odd_images
from tests.reliability.odd import CLASSES, Odd, beside, parts, pictures

SAID = ("share", "folder", "cannot be written", "cannot read")
"""What is said of values in other words than their keys."""


def cases() -> Iterator[Odd]:
    """All of them."""
    yield Odd(name="as usual", make=pictures, expected="fine", words=("3 classes",))
    yield from _layouts()
    yield from odd_images.cases()
    yield from _keywords()
    yield from _shards()


def _layouts() -> Iterator[Odd]:
    for names in (
        ("train", "val", "test"),
        ("Train", "Test"),
        ("Training", "Testing"),
        ("train", "valid"),
        ("train", "dev", "test"),
    ):
        yield Odd(name=f"parts {names}", make=parts(*names), expected="fine", words=("3 classes",))
    yield Odd(name="one part alone", make=parts("train"), expected="fine", words=("3 classes",))
    yield Odd(name="test alone", make=parts("test"), words=("no folder 'train'",))
    yield Odd(name="val and validation", make=parts("train", "val", "validation"), words=("mean the same part",))
    yield Odd(
        name="classes beside train",
        make=beside(lambda root: pictures(root / "train", ("steam", "modern"))),
        expected="either",
        words=("train",),
    )
    yield Odd(name="classes beside train and test", make=beside(parts("train", "test")), words=("beside them",))
    yield Odd(
        name="other classes in test",
        make=lambda root: (parts("train")(root), parts("test", classes=("ship", "car"))(root)),
        words=("ship",),
    )
    yield Odd(
        name="a class without test images",
        make=lambda root: (parts("train")(root), parts("test", classes=("bus", "car"))(root)),
        expected="either",
        words=("tram",),
    )
    yield Odd(name="nothing", make=lambda root: None, words=("class folder",))
    yield Odd(name="no folder", make=lambda root: root.rmdir(), words=("not a folder",))
    yield Odd(name="a file", make=lambda root: (root.rmdir(), root.write_text("x")), words=("not a folder",))
    yield Odd(
        name="images without classes",
        make=lambda root: [files.picture(i).save(root / f"{i}.png") for i in range(8)],
        words=("class folder",),
    )
    yield Odd(name="one class", make=lambda root: pictures(root, ("bus",)), words=("at least two", "needs two"))
    yield Odd(name="an empty class", make=beside(lambda root: (root / "ship").mkdir()), words=("ship",))
    yield Odd(name="one image a class", make=lambda root: pictures(root, images=1), words=("image",))
    yield Odd(name="two images a class", make=lambda root: pictures(root, images=2), words=("image",))
    yield Odd(
        name="three images a class", make=lambda root: pictures(root, images=3), expected="either", words=("image",)
    )
    yield Odd(
        name="uneven classes",
        make=beside(lambda root: pictures(root, ("ship",), images=120)),
        expected="fine",
        words=("times the training images",),
    )
    yield Odd(
        name="folders in classes",
        make=lambda root: pictures(root / "bus", ("a", "b")) or pictures(root),
        expected="either",
        words=("classes",),
    )
    yield Odd(
        name="the same images in all parts",
        make=lambda root: [pictures(root / part) for part in ("train", "val", "test")],
        expected="fine",
        words=("equal images in several parts",),
    )
    yield Odd(
        name="the same images in two classes",
        make=lambda root: [pictures(root, (name,)) for name in CLASSES],
        expected="either",
        words=("equal images of several classes",),
    )
    yield Odd(
        name="a link to a class",
        make=lambda root: (
            pictures(root / ".." / f"{root.name}.real"),
            [(root / name).symlink_to(root.parent / f"{root.name}.real" / name) for name in CLASSES],
        ),
        expected="fine",
        words=("3 classes",),
    )
    yield Odd(
        name="a link in a circle",
        make=beside(lambda root: (root / "bus" / "again").symlink_to(root)),
        expected="either",
        words=("classes",),
    )
    yield Odd(
        name="a class that links nowhere",
        make=beside(lambda root: (root / "ship").symlink_to("/nowhere")),
        expected="either",
        words=("ship", "3 classes"),
    )
    yield Odd(
        name="a class folder that nobody reads",
        make=beside(lambda root: (pictures(root, ("ship",)), (root / "ship").chmod(0))),
        expected="either",
        words=("classes", "permissions"),
    )


def _keywords() -> Iterator[Odd]:
    wrong = {
        "resolution": ("0", "-8", "1000000", "8.5", "x", "[8]", "true", "null", ".inf"),
        "stored": ("-1", "1000000", "x", "0.5", "true"),
        "crop_pct": ("0", "-1", "1.5", ".nan", "x", "true"),
        "grey": ("maybe", "3", "[true]"),
        "background": ("blue-ish", "'#12'", "[1, 2]", "[300, 0, 0]", "3", "{a: 1}"),
        "unreadable": ("-1", "2", ".nan", "x", "true"),
        "validation": ("0", "1", ".nan", "x", "-0.5"),
        "test": ("0", "1", "0.8", "[1]"),
        "split": ("random", "3", "null", "true", "''"),
        "split_seed": ("-1", "x", "null", "1.5"),
        "cache": ("/proc/x", "3", "''", "/etc/passwd", "[a]"),
        "paths": ("x",),
        "labels": ("0", "-1", "x", "true"),
        "unlabelled": ("/nowhere", "3", "[a]"),
    }
    for key, values in wrong.items():
        for value in values:
            yield Odd(
                name=f"data.{key}: {value}",
                make=pictures,
                keywords=f"{key}: {value}",
                words=(key, *SAID),
            )


def _shards() -> Iterator[Odd]:
    for name, write in files.shards().items():
        yield Odd(
            name=f"shard: {name}",
            make=lambda root, write=write: write(root / "data.tar"),
            source="webdataset",
            words=("data.tar", "shard", "class"),
        )

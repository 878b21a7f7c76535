"""Tux Paint's stamps: drawings and photographs with captions by people in many languages, from Debian's package
tuxpaint-stamps-default.

The class is the first folder (``animals``), the level the whole one (``animals/birds``). What may be done with them
differs between stamps and is not stated beside each.
"""

from collections.abc import Iterator
from pathlib import Path

from trainables.data._caption_files import texts_beside
from trainables.data.layouts import Row, pictures_below

PAPER = "none: tuxpaint.org"
READS = "CATEGORY/*.png at any depth, with captions in *.txt beside them"
RULES = ()


def rows(root: Path) -> Iterator[Row]:
    """Every picture in a folder; mirrored and flipped forms of a stamp (``cat_mirror.png``) belong to its group.

    Raises:
        DataError: captions that are not UTF-8.
    """
    for file in pictures_below(root):
        place = file.relative_to(root)
        if len(place.parts) < 2:
            continue
        folder = "/".join(place.parts[:-1])
        yield Row(
            path=place.as_posix(),
            label=place.parts[0],
            level=folder,
            group=f"{folder}/{_stamp(file.stem)}",
            captions=texts_beside(file),
        )


def _stamp(name: str) -> str:
    """The name without what says how it is turned."""
    for turned in ("_mirror_flip", "_mirror", "_flip"):
        name = name.removesuffix(turned)
    return name

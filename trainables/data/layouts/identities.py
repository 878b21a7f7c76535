"""Pictures of identities (persons, animals, vehicles), one folder each, with captions in files beside them if any.

The ``group`` of a picture is its identity; there are no classes, so that it is a pool to pretrain on. ``a/7.txt`` is
the caption of ``a/7.jpg``, as in source ``folder``.
"""

from collections.abc import Iterator
from pathlib import Path

from trainables.data._caption_files import texts_beside
from trainables.data.layouts import Row, pictures_below
from trainables.data.photo_folders import subfolders

PAPER = "https://arxiv.org/abs/2409.18569"
READS = "IDENTITY/*.jpg, perhaps with *.txt beside them"
RULES = ("two_in_each_group",)


def rows(root: Path) -> Iterator[Row]:
    """Pictures of every folder, at any depth below it.

    Raises:
        DataError: captions that are not UTF-8.
    """
    for folder in subfolders(root):
        for number, file in enumerate(pictures_below(folder)):
            yield Row(
                path=file.relative_to(root).as_posix(),
                group=folder.name,
                frame=number,
                captions=texts_beside(file),
            )

"""A folder of images without classes, at any depth, to pretrain on."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from trainables.data.decoded import UNREADABLE, cached_files, check_readable, store_of
from trainables.data.kept import Form
from trainables.decoding import EXTENSIONS, image_files
from trainables.splits import DataError, Images, Splits

PAPER = "none: one's own images"
TARGETS = False
ORDERED = False


def pictures(splits: Splits, *, path: str, unreadable: float = UNREADABLE, cache: str | None = None) -> Images:
    """Every image below a folder, decoded once as the data's files are; its ``group`` is the folder in which it lies.

    Args:
        splits: whose images are pretrained for.
        path: the folder.
        unreadable: share of the images that may be left out because they cannot be read.
        cache: folder for the decoded images; the system's temporary folder by default.

    Raises:
        DataError: no folder, no image, too many that are unreadable, or data with neither one channel nor three.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise DataError(f"'{path}' is not a folder; give one that holds images")
    if splits.channels not in (1, 3):
        raise DataError(f"images of files have one channel or three; the data has {splits.channels}")
    files, _ = image_files(root)
    if not files:
        raise DataError(f"folder '{path}' has no image ({', '.join(EXTENSIONS)})")
    folders = sorted({file.parent for file in files})
    groups = [folders.index(file.parent) for file in files]  # as labels, so that unreadable files leave both out
    images, survey = cached_files(store_of(cache), files, groups, Form(decoding=splits.decoding))
    check_readable(survey, unreadable, path)
    return replace(images, label_N=np.zeros_like(images.label_N), fields={"group": images.label_N})

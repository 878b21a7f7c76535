"""A folder of images without classes, at any depth, to pretrain on."""

from pathlib import Path

from torchvision.datasets.folder import IMG_EXTENSIONS

from trainables.data.decoded import cached_files, store_of
from trainables.splits import DataError, Images, Splits

PAPER = "none: one's own images"
TARGETS = False


def pictures(splits: Splits, *, path: str, cache: str | None = None) -> Images:
    """Every image below a folder, decoded once to the data's resolution and channels.

    Args:
        splits: whose images are pretrained for.
        path: the folder.
        cache: folder for the decoded images; the system's temporary folder by default.

    Raises:
        DataError: no folder, no image, one that is corrupt, or data with neither one channel nor three.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise DataError(f"'{path}' is not a folder; give one that holds images")
    if splits.channels not in (1, 3):
        raise DataError(f"images of files have one channel or three; the data has {splits.channels}")
    files = sorted(file for file in root.rglob("*") if file.suffix.lower() in IMG_EXTENSIONS)
    if not files:
        raise DataError(f"folder '{path}' has no image ({', '.join(IMG_EXTENSIONS)})")
    return cached_files(store_of(cache), files, [0] * len(files), splits.resolution, splits.channels == 1)

"""Images in folders: ``path/CLASS/*.png`` or ``path/{train,val,test}/CLASS/*.png``, any size and mode.

Each image is decoded once, resized and cropped to a square of ``resolution``, and kept in a memory-mapped array, so
that hundreds of trials do not decode it again.
"""

from collections.abc import Sequence
from pathlib import Path

from torchvision.datasets.folder import IMG_EXTENSIONS

from trainables.data.decoded import cached_files, store_of
from trainables.splits import DataError, Images, Splits, completed

PARTS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}


def load(
    *,
    path: str,
    resolution: int = 32,
    grey: bool = False,
    validation: float = 0.2,
    test: float = 0.2,
    split_seed: int = 0,
    cache: str | None = None,
) -> Splits:
    """Load and, where the folder has no splits of its own, split stratified by class.

    Args:
        path: folder with one folder a class, or with ``train`` (and ``val``, ``test``) above them.
        resolution: side of the stored square images, in pixels.
        grey: one channel instead of three.
        validation: share of all images for search-validation, if the folder has no such part.
        test: share of all images for the final figures, if the folder has no such part.
        split_seed: seed of the stratified split.
        cache: folder for the decoded arrays; the system's temporary folder by default.

    Raises:
        DataError: the folder is missing or empty, an image is corrupt, or there are fewer than two classes.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise DataError(f"data.path '{path}' is not a folder; give the folder that holds one folder per class")
    store = store_of(cache)
    parts = {PARTS[child.name]: child for child in sorted(root.iterdir()) if child.is_dir() and child.name in PARTS}
    if "train" not in parts:
        parts = {"train": root}
    names = _class_names(parts["train"])
    loaded = {part: _images(folder, names, resolution, grey, store) for part, folder in parts.items()}
    return completed(loaded, names, validation=validation, test=test, seed=split_seed)


def _class_names(folder: Path) -> tuple[str, ...]:
    names = tuple(sorted(child.name for child in folder.iterdir() if child.is_dir() and not child.name.startswith(".")))
    if len(names) < 2:
        raise DataError(
            f"'{folder}' has {len(names)} class folder(s){': ' + names[0] if names else ''}; "
            "a classifier needs at least two, each with its images in it"
        )
    return names


def _images(folder: Path, names: Sequence[str], resolution: int, grey: bool, store: Path) -> Images:
    unknown = sorted(set(_class_names(folder)) - set(names))
    if unknown:
        raise DataError(f"'{folder}' has class '{unknown[0]}', which the training part does not have")
    files, labels = [], []
    for number, name in enumerate(names):
        of_class = sorted(file for file in (folder / name).rglob("*") if file.suffix.lower() in IMG_EXTENSIONS)
        if not of_class and (folder / name).is_dir():
            raise DataError(f"class folder '{folder / name}' has no image ({', '.join(IMG_EXTENSIONS)})")
        files += of_class
        labels += [number] * len(of_class)
    return cached_files(store, files, labels, resolution, grey)

"""Images in folders: ``path/CLASS/*.png`` or ``path/{train,val,test}/CLASS/*.png``, any size and mode.

Each image is decoded once, resized and cropped to a square of ``resolution``, and kept in a memory-mapped array, so
that hundreds of trials do not decode it again.
"""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torchvision.datasets.folder import IMG_EXTENSIONS

from trainables.splits import DataError, Images, Splits, from_parts, stratified

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
    store = Path(cache) if cache else Path(tempfile.gettempdir()) / "nars-images"
    parts = {PARTS[child.name]: child for child in sorted(root.iterdir()) if child.is_dir() and child.name in PARTS}
    if "train" not in parts:
        parts = {"train": root}
    names = _class_names(parts["train"])
    loaded = {part: _images(folder, names, resolution, grey, store) for part, folder in parts.items()}
    train = loaded["train"]
    total = sum(len(images) for images in loaded.values())
    if "test" not in loaded:
        train, loaded["test"] = stratified(train, test * total / len(train), split_seed, names)
    if "validation" not in loaded:
        train, loaded["validation"] = stratified(train, validation * total / len(train), split_seed, names)
    return from_parts(train, loaded["validation"], loaded["test"], names)


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
        found = sorted(file for file in (folder / name).rglob("*") if file.suffix.lower() in IMG_EXTENSIONS)
        if not found and (folder / name).is_dir():
            raise DataError(f"class folder '{folder / name}' has no image ({', '.join(IMG_EXTENSIONS)})")
        files += found
        labels += [number] * len(found)
    return Images(image_NCHW=_decoded(files, resolution, grey, store), label_N=np.array(labels, dtype=np.int64))


def _decoded(files: Sequence[Path], resolution: int, grey: bool, store: Path) -> NDArray[np.uint8]:
    """The decoded images, memory-mapped from a file named by what it was made of."""
    listing = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    digest = hashlib.sha256(json.dumps([listing, resolution, grey]).encode()).hexdigest()[:24]
    target = store / f"{digest}.npy"
    if not target.exists():
        store.mkdir(parents=True, exist_ok=True)
        # Two processes may decode at once: each writes its own file, the later rename replaces an equal one.
        with tempfile.NamedTemporaryFile(dir=store, suffix=".tmp", delete=False) as file:
            partial = Path(file.name)
        try:
            shape = (len(files), 1 if grey else 3, resolution, resolution)
            array = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
            for row, image_file in enumerate(files):
                array[row] = _decode(image_file, resolution, grey)
            array.flush()
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    mapped: NDArray[np.uint8] = np.load(target, mmap_mode="r")
    return mapped


def _decode(file: Path, resolution: int, grey: bool) -> NDArray[np.uint8]:
    """One image as (C, resolution, resolution): shorter side resized, centre cropped."""
    try:
        with Image.open(file) as image:
            upright = ImageOps.exif_transpose(image)
            # Palettes and transparency: composite on black through RGBA, so that no mode is misread.
            solid = Image.alpha_composite(Image.new("RGBA", upright.size, "black"), upright.convert("RGBA"))
            square = ImageOps.fit(solid.convert("L" if grey else "RGB"), (resolution, resolution))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DataError(f"image '{file}' cannot be read ({error}); repair or remove it") from error
    array = np.asarray(square, dtype=np.uint8)
    return array[None] if grey else array.transpose(2, 0, 1)

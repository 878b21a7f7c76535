"""WebDataset shards: tar files of images with their labels, on disk or at any URI that fsspec opens.

Shards are read as streams, one image in memory at a time; the decoded images are kept on disk.
Workers that start together share the shards: each takes those that nobody else is decoding.
"""

import importlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import fsspec
from filelock import FileLock, Timeout

from trainables.data.decoded import (
    UNREADABLE,
    Encoded,
    cached,
    check_readable,
    digest_of,
    evaluated_as_files,
    form_of,
    store_of,
)
from trainables.data.kept import Form, exists, joined, read
from trainables.data.splitting import HASH, completed
from trainables.decoding import EXTENSIONS
from trainables.splits import DataError, Images, Splits
from trainables.survey import Survey

IMAGES = tuple(extension.removeprefix(".") for extension in EXTENSIONS)
"""Extensions of images, after the first dot of a name."""


def load(
    *,
    path: str,
    validation_path: str | None = None,
    test_path: str | None = None,
    label: str = "label",
    classes: Sequence[str] | None = None,
    resolution: int = 32,
    stored: int = 0,
    crop_pct: float = 1.0,
    grey: bool = False,
    background: Any = "white",
    unreadable: float = UNREADABLE,
    validation: float = 0.2,
    test: float = 0.2,
    split: str = HASH,
    split_seed: int = 0,
    cache: str | None = None,
) -> Splits:
    """Decode the shards and, where no shards are given for a part, split it off (``trainables.data.splitting``).

    Args:
        path: the training shards: ``/data/train-{0000..0146}.tar``, ``s3://bucket/train-*.tar``, or one shard.
        validation_path, test_path: shards of the other parts.
        label: key of the class in a sample's ``.json``; a ``.cls`` holds the class number itself.
        classes: class names, in the order of their numbers; the numbers by default.
        resolution: side of the square images, in pixels.
        stored: keeps training images whole, the shorter side made smaller until it has as many pixels, so that every
            epoch cuts squares of its own (``recipe.photo_augment``); with 0 all are squares.
        crop_pct: side of a square as a share of the shorter side of the resized image in whose middle it lies.
        grey: one channel instead of three.
        background: colour under transparency: ``white``, ``'#ffcc00'`` or ``[255, 204, 0]``.
        unreadable: share of the images that may be left out because they cannot be read.
        validation: share of the images that are split for search-validation, if it has no shards.
        test: share of the images that are split for the final figures, if it has no shards.
        split: ``hash`` splits by each image's own content, so that images that are added move no other; ``drawn`` meets
            the shares to the image, class by class, and draws anew when the images change.
        split_seed: of the split.
        cache: folder for the decoded images; the system's temporary folder by default.

    Raises:
        DataError: there is no shard, one cannot be read, a sample has no image or no label, or too many images are
            unreadable.
    """
    store, form = store_of(cache), form_of(resolution, stored, crop_pct, grey, background)
    numbered = names = None if classes is None else tuple(map(str, classes))
    shards = {"train": path, "validation": validation_path, "test": test_path}
    decoded = {
        part: _decoded(_expanded(uris), label, names, form if part == "train" else form.squares, store)
        for part, uris in shards.items()
        if uris is not None
    }
    parts = {part: images for part, (images, _) in decoded.items()}
    survey = sum((own for _, own in decoded.values()), Survey())
    check_readable(survey, unreadable, path)
    for part, images in parts.items():
        if not len(images):
            raise DataError(f"the shards '{shards[part]}' hold no samples of an image and a class")
    if names is None:
        names = tuple(map(str, range(int(max(images.label_N.max() for images in parts.values())) + 1)))
    splits = completed(
        parts,
        names,
        split=split,
        validation=validation,
        test=test,
        seed=split_seed,
        decoding=form.decoding,
        survey=survey,
    )
    return evaluated_as_files(
        splits, store, lambda: chain.from_iterable(_samples(uri, label, numbered) for uri in _expanded(path)), form
    )


def _package(module: str) -> Any:
    try:
        return importlib.import_module(f"webdataset.{module}")
    except ImportError as error:
        raise DataError("data.source 'webdataset' needs webdataset: pip install webdataset") from error


def _expanded(shards: str) -> list[str]:
    """The shards of a pattern with braces or stars, in order."""
    uris: list[str] = []
    for pattern in _package("shardlists").expand_urls(shards):
        try:
            files, inside = fsspec.core.url_to_fs(pattern)
            matched = sorted(files.glob(inside)) if "*" in inside else [inside]
            uris += [files.unstrip_protocol(name) for name in matched]
        except (OSError, ValueError, ImportError) as error:
            raise DataError(f"shards '{pattern}' cannot be found: {error}") from error
    if not uris:
        raise DataError(f"there is no shard '{shards}'; give tar files, such as /data/train-{{0000..0146}}.tar")
    return uris


def _decoded(
    uris: Sequence[str], label: str, names: tuple[str, ...] | None, form: Form, store: Path
) -> tuple[Images, Survey]:
    """The images of all shards, decoded by whoever has not found a shard in other hands."""
    shard_of = {digest_of(form, uri, _state(uri), label, names): uri for uri in uris}
    whole = digest_of(form, *shard_of)
    store.mkdir(parents=True, exist_ok=True)
    for wait_s in (0, -1):  # first the shards that nobody else is decoding, then those that somebody was
        for digest, uri in shard_of.items():
            try:
                with FileLock(store / f"{digest}.lock", timeout=wait_s):
                    # In this order, since a piece is removed once the whole is there.
                    if not exists(store, digest, form) and not exists(store, whole, form):
                        cached(store, digest, partial(_samples, uri, label, names), form)
            except Timeout:
                continue
    with FileLock(store / f"{whole}.lock"):
        if not exists(store, whole, form):
            joined(store, whole, list(shard_of), form)
    return read(store, whole, form)


def _state(uri: str) -> str:
    """What changes when a shard does."""
    files, inside = fsspec.core.url_to_fs(uri)
    try:
        return str(files.ukey(inside))
    except OSError as error:
        raise DataError(f"shard '{uri}' cannot be read: {error}; check data.path") from error


def _samples(uri: str, label: str, names: tuple[str, ...] | None) -> Iterator[Encoded]:
    iterators = _package("tariterators")
    try:
        with fsspec.open(uri, "rb") as stream:
            files = iterators.tar_file_expander([{"url": uri, "stream": stream}])
            for sample in iterators.group_by_keys(files):
                name = f"{sample['__key__']}' of '{uri}"
                image = next((sample[extension] for extension in IMAGES if extension in sample), None)
                if image is None:
                    raise DataError(f"sample '{name}' has no image ({', '.join(IMAGES)})")
                yield Encoded(name=name, source=io.BytesIO(image), label=_label(sample, name, label, names))
    except (OSError, tarfile.TarError) as error:
        reason = error.strerror or error.args[0] if isinstance(error, OSError) else error.args[0]  # others hold objects
        raise DataError(f"shard '{uri}' cannot be read ({reason}); get it again") from error


def _label(sample: Mapping[str, Any], name: str, key: str, names: tuple[str, ...] | None) -> int:
    """The class number of a sample.

    Raises:
        DataError: it has no label, or one that is no class.
    """
    value: Any = None
    try:
        if "cls" in sample:
            value = int(sample["cls"])
        elif "json" in sample:
            value = json.loads(sample["json"]).get(key)
        if isinstance(value, str):
            value = names.index(value) if names and value in names else int(value)
    except (ValueError, AttributeError) as error:
        raise DataError(
            f"sample '{name}' has a label that is no class number and not in data.classes: {error}"
        ) from error
    if not isinstance(value, int):
        raise DataError(f"sample '{name}' has no .cls and no .json with a class number at '{key}'")
    if value < 0 or (names is not None and value >= len(names)):
        raise DataError(f"sample '{name}' has class {value}; data.classes has {len(names or ())} names")
    return value

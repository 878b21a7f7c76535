"""Images in folders: ``path/CLASS/*.png`` or ``path/{train,val,test}/CLASS/*.png``, any size, mode and depth.

Each image is decoded once, resized and cropped to a square of ``resolution``, and kept in a memory-mapped array, so
that hundreds of trials do not decode it again; ``stored`` keeps training images whole. Images that cannot be read are
left out and named, up to a share. Captions lie beside the images, as ``trainables.data._caption_files`` says.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trainables.data._caption_files import CAPTIONS, captioned
from trainables.data._captions import TOKENS
from trainables.data.decoded import (
    UNREADABLE,
    cached_files,
    check_readable,
    encoded_files,
    evaluated_as_files,
    form_of,
    store_of,
)
from trainables.data.photo_folders import class_folders, of_hidden, of_other_files, part_folders
from trainables.data.splitting import HASH, completed
from trainables.decoding import EXTENSIONS, image_files
from trainables.splits import DataError, Images, Splits
from trainables.survey import Survey


def load(
    *,
    path: str,
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
    captions: Any = None,
    caption_tokens: int = TOKENS,
) -> Splits:
    """Load and, where the folder has no splits of its own, split the images (``trainables.data.splitting``).

    Args:
        path: folder with one folder a class, or with ``train`` (and ``val``, ``test``) above them and nothing else.
        resolution: side of the square images, in pixels.
        stored: keeps training images whole, the shorter side made smaller until it has as many pixels, so that every
            epoch cuts squares of its own (``recipe.photo_augment``); with 0 all are squares.
        crop_pct: side of a square as a share of the shorter side of the resized image in whose middle it lies.
        grey: one channel instead of three.
        background: colour under transparency: ``white``, ``'#ffcc00'`` or ``[255, 204, 0]``.
        unreadable: share of the images that may be left out because they cannot be read.
        validation: share of the images that are split for search-validation, if the folder has no such part.
        test: share of the images that are split for the final figures, if the folder has no such part.
        split: ``hash`` splits by each image's own content, so that images that are added move no other; ``drawn`` meets
            the shares to the image, class by class, and draws anew when the images change.
        split_seed: of the split.
        cache: folder for the decoded arrays; the system's temporary folder by default.
        captions: languages of the captions to read, such as ``[own, de]``; ``own`` is text that names no language.
        caption_tokens: length of a caption in bytes, with two more; longer ones are cut.

    Raises:
        DataError: the folder is missing or empty, too many images are unreadable, there are fewer than two classes,
            captions are missing, or it is not clear which folders are classes.
    """
    root, store = Path(path).expanduser(), store_of(cache)
    form = form_of(resolution, stored, crop_pct, grey, background)
    if not root.is_dir():
        raise DataError(f"data.path '{path}' is not a folder; give the folder that holds one folder per class")
    folders = part_folders(root)
    names = tuple(class_folders(folders.parts["train"]))
    loaded: dict[str, Images] = {}
    hidden = (sentence for folder in folders.parts.values() for sentence in of_hidden(folder))
    survey = Survey(remarks=(*folders.remarks, *hidden))
    listed = {part: _files(folder, names) for part, folder in folders.parts.items()}
    for part, (files, labels, others) in listed.items():
        loaded[part], own = cached_files(store, files, labels, form if part == "train" else form.squares)
        read = 0 if captions is None else sum(file.with_suffix(CAPTIONS).is_file() for file in files)
        survey += own + Survey(skipped=others - Counter({CAPTIONS: read}))
    check_readable(survey, unreadable, path)
    slots: tuple[str, ...] = ()
    if captions is not None:
        files_of = {part: files for part, (files, _, _) in listed.items()}
        loaded, slots, remarks = captioned(loaded, files_of, captions, caption_tokens)
        survey = replace(survey, remarks=(*survey.remarks, *remarks))
    splits = completed(
        loaded,
        names,
        split=split,
        validation=validation,
        test=test,
        seed=split_seed,
        decoding=form.decoding,
        survey=survey,
    )
    files, labels, _ = listed["train"]
    splits = replace(splits, captions=slots)
    return evaluated_as_files(splits, store, lambda: encoded_files(files, labels), form)


def _files(part: Path, names: Sequence[str]) -> tuple[list[Path], list[int], Counter[str]]:
    """Images of a part, their class numbers, and how many other files there are of each kind."""
    folders = class_folders(part)
    unknown = sorted(set(folders) - set(names))
    if unknown:
        raise DataError(f"'{part}' has class '{unknown[0]}', which the training part does not have")
    files: list[Path] = []
    labels: list[int] = []
    others: Counter[str] = Counter()
    for name, folder in folders.items():
        try:
            of_class, skipped = image_files(folder)
        except OSError as error:
            raise DataError(f"'{error.filename}' cannot be read ({error.strerror}); change its permissions") from error
        if not of_class:
            reasons = "; ".join(of_other_files(skipped))
            raise DataError(
                f"class folder '{folder}' has no image ({', '.join(EXTENSIONS)})" + (f": {reasons}" if reasons else "")
            )
        files += of_class
        labels += [names.index(name)] * len(of_class)
        others += skipped
    return files, labels, others

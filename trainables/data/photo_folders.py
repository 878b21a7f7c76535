"""Folders of photographs: which folders are parts, which are classes, and what lies beside the images."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from trainables.data.decoded import shown
from trainables.decoding import EXTENSIONS, is_hidden, is_shown
from trainables.splits import DataError

PARTS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""What people call the parts of a data set, in any case."""
VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".3gp", ".mts")
UNKNOWN_IMAGES = (".heic", ".heif", ".svg", ".psd", ".raw", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".eps", ".jxl")
"""Extensions of images that Pillow alone does not read."""
LOOKED_AT = 1000
"""Files of a hidden folder among which an image is looked for."""


def part_of(name: str) -> str | None:
    """The part that a folder or a split of this name is usually meant to be."""
    return next((part for part, names in PARTS.items() if name.casefold() in names), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFolders:
    """The folder of each part, ``train`` at least, and what should be known of how folders were read."""

    parts: Mapping[str, Path]
    remarks: tuple[str, ...] = ()


def part_folders(root: Path) -> PartFolders:
    """Folders named like parts are parts if nothing but parts lies beside them, and classes else.

    Raises:
        DataError: folders that can be meant either way, two for one part, or parts without one to train on.
    """
    folders = subfolders(root)
    named = {folder.name: part for folder in folders if (part := part_of(folder.name)) is not None}
    others = [folder.name for folder in folders if folder.name not in named]
    if not named:
        return PartFolders(parts={"train": root})
    if others and len(named) > 1:
        raise DataError(
            f"'{root}' has the parts {_listed(named)} and beside them {_listed(others)}; move those elsewhere, or, if "
            "all of them are classes, rename those that are named like parts"
        )
    if others:
        (one,) = named
        remark = f"folder '{one}' is read as a class, since {_listed(others)} lie beside it; were it a part, move those"
        return PartFolders(parts={"train": root}, remarks=(remark,))
    for part in PARTS:
        same = [name for name, own in named.items() if own == part]
        if len(same) > 1:
            raise DataError(f"'{root}' has {_listed(same)}, which mean the same part; keep one of them")
    if "train" not in named.values():
        raise DataError(f"'{root}' has {_listed(named)}, but no folder 'train'; add it, or give classes other names")
    return PartFolders(parts={part: root / name for name, part in named.items()})


def _listed(names: Mapping[str, str] | list[str], most: int = 4) -> str:
    some = [f"'{shown(name)}'" for name in list(names)[:most]]
    return ", ".join(some) + (f" and {len(names) - most} more" if len(names) > most else "")


def subfolders(folder: Path) -> list[Path]:
    """Folders, or links to such, that are the user's, by name.

    Raises:
        DataError: the folder cannot be read.
    """
    try:
        return sorted(child for child in folder.iterdir() if child.is_dir() and not is_hidden(child.name))
    except OSError as error:
        raise DataError(f"'{folder}' cannot be read ({error.strerror}); change its permissions") from error


def class_folders(folder: Path) -> dict[str, Path]:
    """The folder of each class, by the class's name in Unicode's usual form (macOS writes accents apart).

    Raises:
        DataError: fewer than two, two of one name, or a name that is no text.
    """
    folders: dict[str, Path] = {}
    for child in subfolders(folder):
        name = unicodedata.normalize("NFC", child.name)
        if name != shown(name):
            raise DataError(f"the name of class folder {shown(str(child))!r} is no text in UTF-8; rename it")
        if not is_shown(name):
            raise DataError(
                f"the name of class folder {str(child)!r} has a character that cannot be shown, such as a line break; "
                "rename it"
            )
        if name in folders:
            raise DataError(f"'{folder}' has two folders named '{name}', written in two forms of Unicode; join them")
        folders[name] = child
    if len(folders) < 2:
        raise DataError(
            f"'{folder}' has {len(folders)} class folder(s){': ' + next(iter(folders)) if folders else ''}; "
            f"a classifier needs at least two, each with its images in it{'; '.join(('', *of_hidden(folder)))}"
        )
    return folders


def of_hidden(folder: Path) -> list[str]:
    """A sentence on the folders with images whose names begin with a dot, if there are any."""
    try:
        dotted = [child for child in folder.iterdir() if child.name.startswith(".") and child.is_dir()]
        names = sorted(child.name for child in dotted if any(map(_is_image, islice(child.iterdir(), LOOKED_AT))))
    except OSError:  # not the user's to read
        return []
    return [f"folders whose names begin with a dot are not read: {_listed(names)}"] if names else []


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in EXTENSIONS


def of_other_files(skipped: Mapping[str, int]) -> list[str]:
    """A sentence for each kind of files that a user may have meant to be read."""
    sentences = []
    if videos := sum(count for kind, count in skipped.items() if kind in VIDEOS):
        sentences.append(
            f"{videos} video file(s) are not read; to use them, extract images, those of one video into one part"
        )
    for kind, count in skipped.items():
        if kind in UNKNOWN_IMAGES:
            sentences.append(f"{count} {kind} file(s) are not read; convert them to PNG or JPEG")
    return sentences

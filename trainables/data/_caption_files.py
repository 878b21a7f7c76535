"""Captions in files beside images: ``cat.txt`` is that of ``cat.png``, in UTF-8.

A line ``de.utf8=Eine Katze.`` is a caption in that language, as Tux Paint's stamps have them; every other line that is
not empty is one without a language, ``own``.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trainables.data._captions import languages_of, with_captions
from trainables.data.kept import names_of
from trainables.splits import DataError, Images

CAPTIONS = ".txt"
"""Files of captions."""
OWN = "own"
"""The language of text that names none."""


def captioned(
    parts: Mapping[str, Images], files: Mapping[str, Sequence[Path]], languages: Any, length: int
) -> tuple[dict[str, Images], tuple[str, ...], list[str]]:
    """The parts of a data set with captions, what each caption is, and remarks.

    Args:
        parts: images, whose names are those of the files; some files may be left out.
        files: of the images of each part, in order.
        languages: as in the configuration.
        length: tokens of a caption.

    Raises:
        DataError: no image has a caption in one of the languages, or a file is not UTF-8.
    """
    wanted = languages_of(languages)
    texts = {part: [texts_beside(file) for file in _read(images, files[part])] for part, images in parts.items()}
    count = Counter(language for own in texts.values() for text in own for language in text)
    for language in wanted:
        if not count[language]:
            known = ", ".join(f"{name} ({number})" for name, number in count.most_common(12)) or "none at all"
            raise DataError(
                f"data.captions: no image has a caption '{language}'; there are {known}. Captions of a/x.png are the "
                "lines of a/x.txt, in a language where they begin with its name: de.utf8=Eine Katze."
            )
    slots = {
        language: max(len(text.get(language, ())) for own in texts.values() for text in own) for language in wanted
    }
    made, remarks, names = dict(parts), list[str](), tuple[str, ...]()
    for part, images in parts.items():
        filled = {
            language: [_filled(text.get(language, ()), slots[language]) for text in texts[part]] for language in wanted
        }
        made[part], names, own = with_captions(images, filled, length)
        remarks += own if len(parts) == 1 else [f"{part}: {remark}" for remark in own]
    return made, names, remarks


def _filled(texts: Sequence[str], count: int) -> list[str]:
    """With empty ones up to ``count``, so that every part of the data has as many."""
    return [*texts, *[""] * (count - len(texts))]


def _read(images: Images, files: Sequence[Path]) -> Iterator[Path]:
    """The files of the images: in their order, but for those that could not be read."""
    rest = iter(files)
    for name in names_of(images):
        end = Path(name).parts[-2:]
        yield next(file for file in rest if file.parts[-2:] == end)


def texts_beside(image: Path) -> dict[str, list[str]]:
    """Captions of an image by language.

    Raises:
        DataError: the file is not UTF-8.
    """
    file = image.with_suffix(CAPTIONS)
    if not file.is_file():
        return {}
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"captions '{file}' are not UTF-8; convert the file") from None
    texts: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, lines)):
        match = re.match(r"([A-Za-z]{2,3}(?:[_@][A-Za-z]+)*)\.utf8=(.*)", line)
        texts.setdefault(match[1] if match else OWN, []).append(match[2].strip() if match else line)
    return texts

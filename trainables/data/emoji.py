"""Emoji of Noto's colour font with names by people in 147 languages, from three Debian packages.

``fonts-noto-color-emoji`` has the pictures, ``unicode-data`` the list with its 9 groups and 99 subgroups, and
``unicode-cldr-core`` names and keywords. Those of one code point are drawn, some 1,300: what they stand for differs, so
that a held-out picture has a held-out name.
"""

import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from PIL import Image, ImageDraw, ImageFont

from trainables.data._captions import TOKENS, languages_of, with_captions
from trainables.data.decoded import Encoded, cached, digest_of, form_of, store_of
from trainables.data.kept import names_of
from trainables.data.splitting import DRAWN, completed
from trainables.splits import DataError, Splits

DEBIAN = "/usr/share"
"""Below which Debian's packages put their files."""
FONT = "fonts/truetype/noto/NotoColorEmoji.ttf"
LIST = "unicode/emoji/emoji-test.txt"
ANNOTATIONS = "unicode/cldr/common/annotations"
PACKAGES = {FONT: "fonts-noto-color-emoji", LIST: "unicode-data", ANNOTATIONS: "unicode-cldr-core"}
SIZE, DRAWN_AT = (136, 128), 109
"""Pixels of a picture, and the only size that the font has."""
VARIANT = "FE0F"
"""Asks for the coloured form; annotations leave it out."""
LEVELS = ("group", "subgroup")
FEWEST = 5
"""Emoji of a class; smaller classes cannot be split and are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Emoji:
    """One character and the classes that it belongs to."""

    character: str
    group: str
    subgroup: str


def load(
    *,
    path: str = DEBIAN,
    captions: Any = "en",
    keywords: bool = False,
    caption_tokens: int = TOKENS,
    level: str = "group",
    resolution: int = 32,
    background: Any = "white",
    validation: float = 0.2,
    test: float = 0.2,
    split_seed: int = 0,
    cache: str | None = None,
) -> Splits:
    """Draw the emoji, caption them, and split drawn by class.

    Args:
        path: folder below which the files lie as Debian's packages put them.
        captions: languages, such as ``[en, de]``: each is a caption of every emoji, its name.
        keywords: adds the keywords of each language as a second caption.
        caption_tokens: length of a caption in bytes, with two more; longer ones are cut.
        level: what is a class, ``group`` or ``subgroup``.
        resolution: side of the square images, in pixels.
        background: under transparency: ``white``, ``'#ffcc00'`` or ``[255, 204, 0]``.
        validation, test: shares of all images.
        split_seed: of the split.
        cache: folder for the drawn images; the system's temporary folder by default.

    Raises:
        DataError: a package or a language is missing, or a keyword is out of range.
    """
    root, languages = Path(path).expanduser(), languages_of(captions)
    if level not in LEVELS:
        raise DataError(f"data.level is {' or '.join(LEVELS)}, given '{level}'")
    for file, package in PACKAGES.items():
        if not (root / file).exists():
            raise DataError(f"'{root / file}' is missing; install Debian's package {package}, or change data.path")
    emoji = _listed((root / LIST).read_text(encoding="utf-8"))
    class_of = {one.character: getattr(one, level) for one in emoji}
    count = Counter(class_of.values())
    names = tuple(name for name in dict.fromkeys(class_of.values()) if count[name] >= FEWEST)
    drawn = [one for one in emoji if class_of[one.character] in names]
    labels = [names.index(class_of[one.character]) for one in drawn]
    form = form_of(resolution, 0, 1.0, False, background)
    font = (root / FONT).stat()
    digest = digest_of(form, font.st_size, font.st_mtime_ns, [one.character for one in drawn], labels)
    images, survey = cached(store_of(cache), digest, lambda: _encoded(root / FONT, drawn, labels), form)
    characters = names_of(images)
    text_by_language = {language: _texts(_annotations(root, language), characters, keywords) for language in languages}
    images, slots, remarks = with_captions(images, text_by_language, caption_tokens)
    if len(names) < len(count):
        remarks.append(f"{len(count) - len(names)} {level}(s) with fewer than {FEWEST} emoji are left out")
    splits = completed(
        {"train": images},
        names,
        split=DRAWN,
        validation=validation,
        test=test,
        seed=split_seed,
        decoding=form.decoding,
        survey=replace(survey, remarks=(*survey.remarks, *remarks)),
    )
    return replace(splits, captions=slots)


def _listed(text: str) -> list[_Emoji]:
    """Emoji of one code point, in the order of the list."""
    emoji, group, subgroup = [], "", ""
    for line in text.splitlines():
        if line.startswith("# group: "):
            group = line.removeprefix("# group: ")
        elif line.startswith("# subgroup: "):
            subgroup = line.removeprefix("# subgroup: ")
        elif match := re.match(r"([0-9A-F ]+?) +; fully-qualified", line):
            points = [point for point in match[1].split() if point != VARIANT]
            if len(points) == 1:
                emoji.append(_Emoji(character=chr(int(points[0], 16)), group=group, subgroup=subgroup))
    return emoji


def _encoded(font: Path, emoji: Sequence[_Emoji], labels: Sequence[int]) -> Iterator[Encoded]:
    """Pictures as PNG, with transparency, named by their character."""
    letters = ImageFont.truetype(str(font), DRAWN_AT)
    for one, label in zip(emoji, labels, strict=True):
        image = Image.new("RGBA", SIZE, (0, 0, 0, 0))
        ImageDraw.Draw(image).text((0, 0), one.character, font=letters, embedded_color=True)
        content = io.BytesIO()
        image.save(content, format="PNG", compress_level=1)
        yield Encoded(name=one.character, source=content, label=label)


@dataclass(frozen=True, slots=True)
class _Annotations:
    """Of one language, by character."""

    names: Mapping[str, str]
    keywords: Mapping[str, str]


def _annotations(root: Path, language: str) -> _Annotations:
    """Names and keywords of a language.

    Raises:
        DataError: there is no such language.
    """
    folder = root / ANNOTATIONS
    file = folder / f"{language}.xml"
    if not language.isidentifier() or not file.is_file():
        known = sorted(path.stem for path in folder.glob("*.xml"))
        raise DataError(f"data.captions: '{folder}' has no language '{language}'; it has {', '.join(known)}")
    names, keywords = {}, {}
    for annotation in ElementTree.parse(file).iter("annotation"):
        text, character = annotation.text or "", annotation.get("cp", "")
        if annotation.get("type") == "tts":
            names[character] = text
        else:
            keywords[character] = text.replace(" | ", ", ")
    return _Annotations(names, keywords)


def _texts(annotations: _Annotations, characters: Sequence[str], keywords: bool) -> list[list[str]]:
    kinds = (annotations.names, annotations.keywords) if keywords else (annotations.names,)
    return [[kind.get(character, "") for kind in kinds] for character in characters]

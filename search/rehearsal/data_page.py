"""What should be known of a data set before anything is trained on it: a page of sentences for ``search check``."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from search.words import WARNING, named
from trainables.data.decoded import named_files, shown
from trainables.data.kept import names_of
from trainables.data.photo_folders import of_other_files
from trainables.decoding import Decoding
from trainables.splits import Images, Splits
from trainables.survey import Survey

MOST_BYTES = 4_000_000_000
"""Of pixels that are compared; beyond, as many images as this holds, evenly spaced."""
BATCH = 256
FLAT = 2
"""Levels between the darkest and the brightest pixel of a channel up to which an image is blank."""
UNEVEN = 10
"""Images of the largest class for one of the smallest beyond which accuracy is the large classes' affair."""
LISTED = 4
WORTH_SAYING = 0.1
"""Share of the images from which on a trait is worth a warning."""


def data_page(splits: Splits, *, pixels: bool = True) -> Iterator[str]:
    """Sentences on images, classes, what was skipped, blank and equal images, and warnings.

    Args:
        splits: of the data.
        pixels: whether every image is looked at.
    """
    parts = {"training": splits.train, "search-validation": splits.validation, "test": splits.test}
    if splits.survey is not None and splits.survey.images:  # made data has remarks alone
        yield from _of_files(splits.survey, splits.decoding)
    yield from _of_classes(parts, splits.classes)
    compared = _compared(parts) if pixels else _Pixels(looked_at=0, images=0, blank=(), equal=())
    if pixels:
        yield from _of_pixels(compared, splits)
    for sentence in chain(notices(splits), _warnings(parts, splits, compared)):
        yield f"{WARNING}{sentence}"


def notices(splits: Splits) -> list[str]:
    """What a user must know of the files before a run: what was left out, and how doubtful folders were read."""
    survey = splits.survey
    if survey is None:
        return []
    sentences = [*survey.remarks, *of_other_files(survey.skipped)]
    if survey.unreadable:
        total = survey.images + len(survey.unreadable)
        sentences.append(
            f"{len(survey.unreadable)} of {total:,} images cannot be read and are left out: "
            f"{named_files(survey.unreadable)}"
        )
    return sentences


def _of_files(survey: Survey, decoding: Decoding) -> Iterator[str]:
    sides = sorted(survey.shorter)
    yield (
        f"files: {survey.images:,} images ({_counted(survey.formats)}; modes {_counted(survey.modes)}), shorter sides "
        f"of {sides[0]:,} to {sides[-1]:,} pixels, half of them {survey.median_side():,} or less"
    )
    words = {
        "transparent": f"with transparency, laid on {_colour(decoding.background)}",
        "turned": "turned upright as their EXIF says",
        "pictures": "with several pictures or frames, of which the first is read",
        "elongated": "more than twice as long as wide, of which the middle is read",
    }
    traits = [f"{survey.traits[name]:,} {text}" for name, text in words.items() if survey.traits.get(name)]
    if traits:
        yield f"of these: {'; '.join(traits)}"
    if survey.skipped:
        yield f"other files, not read: {_counted(survey.skipped)}"


def _counted(counts: Mapping[str, int], most: int = 8) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(count for _, count in ordered[most:])
    return ", ".join(f"{name} {count:,}" for name, count in ordered[:most]) + (f", others {rest:,}" if rest else "")


def _colour(levels: tuple[int, int, int]) -> str:
    return {(255, 255, 255): "white", (0, 0, 0): "black"}.get(levels, "#{:02x}{:02x}{:02x}".format(*levels))


def _of_classes(parts: Mapping[str, Images], classes: Sequence[str]) -> Iterator[str]:
    count_K = sum((_counts(images, classes) for images in parts.values()), np.zeros(len(classes), dtype=np.int64))
    large, small = int(count_K.argmax()), int(count_K.argmin())
    commonest = int(_counts(parts["training"], classes).argmax())
    right = float((parts["test"].label_N == commonest).mean())
    sizes = (
        f"of {count_K[large]:,} images each"
        if count_K[large] == count_K[small]
        else f"the largest '{classes[large]}' with {count_K[large]:,} images, the smallest '{classes[small]}' with "
        f"{count_K[small]:,}"
    )
    yield (
        f"classes: {len(classes)}, {sizes}; always naming '{classes[commonest]}' is right on {right:.1%} of the test "
        "images"
    )


def _counts(images: Images, classes: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.bincount(images.label_N, minlength=len(classes))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pixels:
    """What was found by looking at stored images.

    Attributes:
        looked_at, images: how many, of how many.
        blank: (part, row) of each image of one colour.
        equal: groups of (part, row) with the same pixels, blank ones left out.
    """

    looked_at: int
    images: int
    blank: tuple[tuple[str, int], ...]
    equal: tuple[tuple[tuple[str, int], ...], ...]


def _compared(parts: Mapping[str, Images]) -> _Pixels:
    blank: list[tuple[str, int]] = []
    places: dict[bytes, list[tuple[str, int]]] = defaultdict(list)
    total = sum(map(len, parts.values()))
    looked_at = 0
    for part, images in parts.items():
        most = max(1, MOST_BYTES // int(np.prod(images.image_NCHW.shape[1:])) * len(images) // total)
        row_N = np.unique(np.linspace(0, len(images) - 1, min(most, len(images))).round().astype(np.int64))
        looked_at += len(row_N)
        for start in range(0, len(row_N), BATCH):
            rows_B = row_N[start : start + BATCH]
            for row, image_CHW in zip(rows_B.tolist(), images.image_NCHW[rows_B], strict=True):
                flat_CP = image_CHW.reshape(len(image_CHW), -1)
                if int((flat_CP.max(axis=1).astype(int) - flat_CP.min(axis=1)).max()) <= FLAT:
                    blank.append((part, row))
                else:
                    places[hashlib.blake2b(image_CHW.tobytes(), digest_size=16).digest()].append((part, row))
    equal = tuple(tuple(group) for group in places.values() if len(group) > 1)
    return _Pixels(looked_at=looked_at, images=total, blank=tuple(blank), equal=equal)


def _of_pixels(pixels: _Pixels, splits: Splits) -> Iterator[str]:
    some = "" if pixels.looked_at == pixels.images else f", of {pixels.looked_at:,} images that were looked at"
    surplus = sum(len(group) - 1 for group in pixels.equal)
    yield f"pixels: {len(pixels.blank):,} blank images, {surplus:,} that equal another one at this size{some}"


def _warnings(parts: Mapping[str, Images], splits: Splits, pixels: _Pixels) -> Iterator[str]:
    names = _names(parts) if pixels.equal or pixels.blank else {}
    yield from _of_blanks(pixels, names, splits)
    yield from _of_equals(pixels, names, parts)
    yield from _of_names(splits.classes)
    yield from _of_balance(parts, splits)
    survey = splits.survey
    if survey is None:
        return
    small = sum(count for side, count in survey.shorter.items() if side < splits.decoding.side)
    if small > WORTH_SAYING * survey.images:
        yield (
            f"{small:,} of {survey.images:,} images are smaller than data.resolution ({splits.decoding.side}) and are "
            "enlarged; a smaller one costs less"
        )
    if survey.traits.get("elongated", 0) > WORTH_SAYING * survey.images:
        yield (
            f"{survey.traits['elongated']:,} of {survey.images:,} images are more than twice as long as wide, and only "
            "the square in their middle is seen"
        )


def _names(parts: Mapping[str, Images]) -> dict[str, list[str]]:
    """Names of the images of each part, without the folder that they have in common."""
    names = {part: names_of(images) for part, images in parts.items()}
    every = list(chain.from_iterable(names.values()))
    first, last = min(every), max(every)
    common = os.path.commonpath([first, last]) if first.startswith("/") and first != last else ""
    return {part: [shown(name.removeprefix(f"{common}/")) for name in own] for part, own in names.items()}


def _of_blanks(pixels: _Pixels, names: Mapping[str, Sequence[str]], splits: Splits) -> Iterator[str]:
    if pixels.blank:
        seen_through = splits.survey is not None and splits.survey.traits.get("transparent")
        reason = f" (data.background is {_colour(splits.decoding.background)})" if seen_through else ""
        yield f"blank images{reason}: {len(pixels.blank):,}, {_some(pixels.blank, names)}"


def _some(places: Sequence[tuple[str, int]], names: Mapping[str, Sequence[str]]) -> str:
    return named([f"'{names[part][row]}' ({part})" for part, row in places[:LISTED]])


def _of_equals(pixels: _Pixels, names: Mapping[str, Sequence[str]], parts: Mapping[str, Images]) -> Iterator[str]:
    across = [group for group in pixels.equal if len({part for part, _ in group}) > 1]
    torn = [group for group in pixels.equal if len({int(parts[part].label_N[row]) for part, row in group}) > 1]
    for groups, what in (
        (across, "equal images in several parts, whose accuracies are therefore too good"),
        (torn, "equal images of several classes, one of which at most is right"),
    ):
        if groups:
            yield f"{what}: {len(groups):,} set(s), such as {_some(groups[0], names)}"


def _of_names(classes: Sequence[str]) -> Iterator[str]:
    by_form: dict[str, list[str]] = defaultdict(list)
    for name in classes:
        by_form["".join(name.casefold().split())].append(name)
    alike = [names for names in by_form.values() if len(names) > 1]
    if alike:
        named_so = " and ".join(f"'{name}'" for name in alike[0][:LISTED])
        yield (
            f"names of classes that differ in case or spaces alone: {named_so}"
            f"{f', and {len(alike) - 1} more' if len(alike) > 1 else ''}; make one of them, if they mean the same"
        )


def _of_balance(parts: Mapping[str, Images], splits: Splits) -> Iterator[str]:
    classes = splits.classes
    count_K = _counts(parts["training"], classes)
    if count_K.max() > UNEVEN * max(1, int(count_K.min())):
        yield (
            f"the largest class has {count_K.max() / max(1, int(count_K.min())):.0f} times the training images of the "
            "smallest, so that accuracy says little of small classes"
        )
    for part, images in parts.items():
        empty = [classes[row] for row in np.flatnonzero(_counts(images, classes) == 0)]
        if empty:
            more = f" and {len(empty) - LISTED} more" if empty[LISTED:] else ""
            yield f"classes without a {part} image: {named(empty[:LISTED])}{more}"
    wrong = 1.96 * 0.5 / len(parts["test"]) ** 0.5
    if wrong > WORTH_SAYING / 2:
        yield f"{len(parts['test'])} test images tell an accuracy within {wrong:.2f} at best (95 % interval)"

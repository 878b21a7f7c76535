"""Captions of images as a field: of texts that a source has, of class names, and of other images."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.batches.fields import CAPTION
from trainables.language.tokens import SHORTEST, longer_than, tokens
from trainables.splits import DataError, Images, Splits

ORIGIN = "origin"
OF_PEOPLE, OF_CLASSES = 0, 1
"""Values of the field ``origin``: a caption that was written for its image, and the name of the image's class."""
TOKENS = 64
"""Of a caption, by default."""
MOST_TOKENS = 512
MOST = 8
"""Captions of one language that an image may have."""


def languages_of(given: Any) -> tuple[str, ...]:
    """The languages that ``data.captions`` names, in order.

    Raises:
        DataError: it is neither a name nor a list of different ones.
    """
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) and name for name in names):
        raise DataError(f"data.captions is {str(given)[:60]!r}; it must be a language, or a list such as [en, de]")
    if len(set(names)) < len(names):
        raise DataError(f"data.captions names a language twice: {', '.join(names)}")
    return tuple(names)


def with_captions(
    images: Images, text_by_language: Mapping[str, Sequence[Sequence[str]]], length: int
) -> tuple[Images, tuple[str, ...], list[str]]:
    """Images with their captions, what each caption is, and remarks.

    Args:
        images: without captions.
        text_by_language: for each image its texts, of which the first ``MOST`` are read.
        length: tokens of a caption.

    Raises:
        DataError: a length out of range.
    """
    check_length(length)
    parts, names, remarks = [], [], []
    for language, texts in text_by_language.items():
        slots = min(MOST, max(map(len, texts), default=0))
        for slot in range(slots):
            column = [own[slot] if slot < len(own) else "" for own in texts]
            parts.append(tokens(column, length))
            names.append(language if slots == 1 else f"{language} {slot + 1}")
            cut = longer_than(column, length)
            if cut:
                remarks.append(f"{cut} caption(s) '{names[-1]}' are longer than {length} tokens (bytes) and are cut")
        without = sum(not any(own) for own in texts)
        if without:
            remarks.append(f"{without} image(s) have no caption '{language}'")
    fields = {**images.fields, CAPTION: np.stack(parts, axis=1)}
    return replace(images, fields=fields), tuple(names), remarks


def check_length(length: int) -> None:
    """Raises DataError for a number of tokens that captions cannot have."""
    if not SHORTEST <= length <= MOST_TOKENS:
        raise DataError(f"data.caption_tokens is {SHORTEST} to {MOST_TOKENS}, given {length}")


def disturbed(splits: Splits, wrong: float, of_classes: float, seed: int) -> Splits:
    """Splits some of whose training captions are other ones.

    Args:
        splits: the data.
        wrong: share of the training images that have the captions of others among them; 0 is off.
        of_classes: share of them whose caption is the name of their class, which ``origin`` then says; 0 is off.
            Images without captions have class names for all, in every part.
        seed: of the choice.

    Raises:
        DataError: a share out of range, or captions that are not there.
    """
    for name, share in (("wrong_captions", wrong), ("class_captions", of_classes)):
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise DataError(f"data.{name} is a share of the training images, from 0 to 1, given {share!r}")
    if of_classes:
        splits = _named(splits, of_classes, seed)
    if not wrong:
        return splits
    if CAPTION not in splits.train.fields:
        raise DataError("data.wrong_captions needs captions, which this source does not give; set data.captions")
    train = splits.train
    row_M = np.random.default_rng([seed, 1]).permutation(len(train))[: round(wrong * len(train))]
    caption_NTL = train.fields[CAPTION].copy()
    caption_NTL[row_M] = caption_NTL[np.roll(row_M, 1)]
    return replace(splits, train=replace(train, fields={**train.fields, CAPTION: caption_NTL}))


def _named(splits: Splits, share: float, seed: int) -> Splits:
    if CAPTION not in splits.train.fields:
        if share < 1:
            raise DataError(
                f"data.class_captions is {share}, but this source gives the other images no captions; set it to 1, or "
                "set data.captions"
            )
        token_KL = tokens(splits.classes, TOKENS)
        train, validation, test = (
            _all_named(part, token_KL) for part in (splits.train, splits.validation, splits.test)
        )
        return replace(splits, train=train, validation=validation, test=test, captions=("class",))
    train = splits.train
    caption_NTL, origin_N = train.fields[CAPTION].copy(), np.full(len(train), OF_PEOPLE)
    row_M = np.random.default_rng([seed, 2]).permutation(len(train))[: round(share * len(train))]
    caption_NTL[row_M] = 0
    caption_NTL[row_M, 0] = tokens(splits.classes, caption_NTL.shape[2])[train.label_N[row_M]]
    origin_N[row_M] = OF_CLASSES
    return replace(splits, train=replace(train, fields={**train.fields, CAPTION: caption_NTL, ORIGIN: origin_N}))


def _all_named(images: Images, token_KL: NDArray[np.uint16]) -> Images:
    origin_N = np.full(len(images), OF_CLASSES)
    return replace(images, fields={**images.fields, CAPTION: token_KL[images.label_N][:, None], ORIGIN: origin_N})

"""Digits or Fashion-MNIST with captions derived from their labels and from what is measured of them.

No person wrote these captions: a template says the class, how bright the picture is and how it leans. A figure of them
says nothing about captions by people, and is to be called derived wherever it is quoted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.data import digits, fashion_mnist
from trainables.data._captions import ORIGIN, languages_of, with_captions
from trainables.splits import DataError, Images, Splits
from trainables.survey import Survey

DIGITS, FASHION = "digits", "fashion_mnist"
SAYING, SILENT = 0, 1
"""Values of the field ``origin``: a caption that says what is shown, and one that is the same for all."""
MOST_SENTENCES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """Of a language.

    Attributes:
        silent: the caption that says nothing.
        shown: with a place for the class.
        digits: of 0 to 9.
        brightness, slant: sentences of the lowest, the middle and the highest third.
    """

    silent: str
    shown: str
    digits: Sequence[str]
    brightness: Sequence[str]
    slant: Sequence[str]


LANGUAGES = {
    "en": _Words(
        silent="A picture.",
        shown="A picture of: {}.",
        digits=("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
        brightness=("It is faint.", "It is grey.", "It is bright."),
        slant=("It leans left.", "It is upright.", "It leans right."),
    ),
    "de": _Words(
        silent="Ein Bild.",
        shown="Ein Bild von: {}.",
        digits=("Null", "Eins", "Zwei", "Drei", "Vier", "Fünf", "Sechs", "Sieben", "Acht", "Neun"),
        brightness=("Es ist blass.", "Es ist grau.", "Es ist hell."),
        slant=("Es neigt sich nach links.", "Es steht gerade.", "Es neigt sich nach rechts."),
    ),
}


def load(
    *,
    of: str = DIGITS,
    path: str | None = None,
    captions: Any = "en",
    quality: float = 1.0,
    sentences: int = 1,
    caption_tokens: int = 96,
    validation: float = 0.2,
    split_seed: int = 0,
) -> Splits:
    """The images of a source with a caption in each language; field ``attribute`` has brightness and slant.

    Args:
        of: ``digits`` or ``fashion_mnist``, whose classes have no German names.
        path: of Fashion-MNIST's files; Debian's by default.
        captions: languages, such as ``[en, de]``.
        quality: share of each part's images whose caption says what is shown; all others have the same one, so that at
            0 captions and images know nothing of each other.
        sentences: 1 says the class, 2 also the brightness, 3 also how it leans.
        caption_tokens: length of a caption in bytes, with two more; longer ones are cut.
        validation: share for search-validation.
        split_seed: of the split, and of which captions say nothing.

    Raises:
        DataError: no such source or language, or a keyword out of range.
    """
    if of not in (DIGITS, FASHION):
        raise DataError(f"data.of is '{of}'; captions are derived for {DIGITS} and {FASHION}")
    unknown = [language for language in languages_of(captions) if language not in LANGUAGES]
    if unknown:
        raise DataError(f"data.captions has '{unknown[0]}'; captions are derived in {', '.join(LANGUAGES)}")
    if not 0 <= quality <= 1 or not 1 <= sentences <= MOST_SENTENCES:
        raise DataError(
            f"data.quality is a share, 0 to 1, and data.sentences 1 to {MOST_SENTENCES}, given {quality} and "
            f"{sentences}"
        )
    if of == DIGITS and path is not None:
        raise DataError(
            f"data.path is '{path}', but digits lie in scikit-learn; leave it out, or set data.of to {FASHION}"
        )
    if of == DIGITS:
        splits = digits.load(validation=validation, split_seed=split_seed)
    else:
        files = fashion_mnist.DEBIAN if path is None else path
        splits = fashion_mnist.load(path=files, validation=validation, split_seed=split_seed)
    values = {part: measured(getattr(splits, part)) for part in ("train", "validation", "test")}
    edges_A2 = np.quantile(values["train"], (1 / 3, 2 / 3), axis=0).T
    parts, slots, remarks = {}, tuple[str, ...](), list[str]()
    for number, (part, value_NA) in enumerate(values.items()):
        images: Images = getattr(splits, part)
        third_NA = np.stack([np.searchsorted(*one) for one in zip(edges_A2, value_NA.T, strict=True)], axis=1)
        says_N = np.random.default_rng([split_seed, number]).permutation(len(images)) < round(quality * len(images))
        texts = {
            language: _texts(images, says_N, _Sayings.of(splits.classes, of, LANGUAGES[language]), third_NA, sentences)
            for language in languages_of(captions)
        }
        fields = {"attribute": value_NA, ORIGIN: np.where(says_N, SAYING, SILENT)}
        parts[part], slots, own = with_captions(replace(images, fields=fields), texts, caption_tokens)
        remarks += own
    said = f"captions are derived from labels and measurements, {quality:.0%} of them; none was written by a person"
    train, held_back, held_out = (parts[part] for part in ("train", "validation", "test"))
    survey = Survey(remarks=(said, *remarks))
    return replace(splits, train=train, validation=held_back, test=held_out, captions=slots, survey=survey)


def measured(images: Images) -> NDArray[np.float32]:
    """Brightness in [0, 1], and slant: by how much a line of ink moves right as it rises, (N, 2)."""
    light_NHW = images.image_NCHW[:].mean(axis=1, dtype=np.float64) / 255.0
    height, width = light_NHW.shape[1:]
    total_N11 = np.maximum(light_NHW.sum(axis=(1, 2), keepdims=True), 1e-9)
    up_HW, right_HW = np.mgrid[height - 1 : -1 : -1, 0:width].astype(np.float64)
    up_NHW, right_NHW = (
        place_HW - (light_NHW * place_HW).sum(axis=(1, 2), keepdims=True) / total_N11 for place_HW in (up_HW, right_HW)
    )
    both_N, square_N = ((light_NHW * up_NHW * other).sum(axis=(1, 2)) for other in (right_NHW, up_NHW))
    slant_N = both_N / np.maximum(square_N, 1e-9)
    return np.stack([light_NHW.mean(axis=(1, 2)), slant_N], axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Sayings:
    """The sentence of each class, and the words of its language."""

    classes: Sequence[str]
    words: _Words

    @classmethod
    def of(cls, classes: Sequence[str], source: str, words: _Words) -> "_Sayings":
        names = words.digits if source == DIGITS else [name.lower() for name in classes]
        return cls([words.shown.format(name) for name in names], words)


def _texts(
    images: Images, says_N: NDArray[np.bool_], sayings: _Sayings, third_NA: NDArray[np.int64], sentences: int
) -> list[list[str]]:
    """The caption of each image."""
    words = sayings.words
    further: Sequence[Sequence[str]] = (words.brightness, words.slant)[: sentences - 1]
    return [
        [" ".join([sayings.classes[label], *(own[third] for own, third in zip(further, third_A, strict=False))])]
        if says
        else [words.silent]
        for says, label, third_A in zip(says_N, images.label_N, third_NA, strict=True)
    ]

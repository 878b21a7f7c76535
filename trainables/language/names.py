"""What classes are called in captions (Parashar et al. 2024, https://arxiv.org/abs/2401.12425).

A class has synonyms; captions use some of them more often than others, and a text tower knows best what it has read.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from trainables.language.tokens import text_of

WITHOUT_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Letters of scripts that put no space between words."""
Captions = Sequence[Sequence[str]]
"""The texts of each image."""


def texts_of(caption_NTL: NDArray[np.uint16]) -> list[list[str]]:
    """The captions of each image, from the field ``caption``, without empty ones."""
    return [[text for token_L in token_TL if (text := text_of(token_L))] for token_TL in caption_NTL]


def named_by(captions: Captions, name: str) -> NDArray[np.bool_]:
    """Which images (N,) have a caption with this name in it: as whole words, in any case."""
    word = re.compile(_edge(name[0], "(?<!{})") + re.escape(name) + _edge(name[-1], "(?!{})"), re.IGNORECASE)
    return np.array([any(word.search(text) for text in texts) for texts in captions], dtype=bool)


def _edge(letter: str, rule: str) -> str:
    return "" if WITHOUT_SPACES.match(letter) else rule.format(r"\w")


def counts_of(captions: Captions, synonyms: Mapping[str, Sequence[str]]) -> dict[str, dict[str, int]]:
    """How many images have a caption with each name of each class."""
    return {
        class_name: {name: int(named_by(captions, name).sum()) for name in names}
        for class_name, names in synonyms.items()
    }


def most_frequent(count: Mapping[str, int]) -> str:
    """The name that most images have, the first of several."""
    return max(count, key=lambda name: count[name])


def images_of(captions: Captions, synonyms: Mapping[str, Sequence[str]]) -> NDArray[np.bool_]:
    """Which images (N, K) have a caption with one of the names of each class."""
    return np.stack(
        [np.any([named_by(captions, name) for name in names], axis=0) for names in synonyms.values()], axis=1
    )

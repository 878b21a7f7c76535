"""Bytes as tokens: any language, no vocabulary to fetch, plain Python."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BEGIN, END, VOCABULARY = 256, 257, 258
"""The first 256 tokens are the bytes of UTF-8; END is the largest, so that argmax finds where a text ends."""
PADDING = 0
"""After END: the byte NUL, which texts do not have."""
SHORTEST = 8
"""Tokens of a row at least."""


def tokens(texts: Sequence[str], length: int) -> NDArray[np.uint16]:
    """Texts as rows of tokens, shape (N, length): BEGIN, the bytes, END, padding; a text without a letter is all zeros.

    Texts are read as ``plain`` has them. What does not fit is cut after a whole character.

    Raises:
        ValueError: fewer tokens than ``SHORTEST``.
    """
    if length < SHORTEST:
        raise ValueError(f"a row has at least {SHORTEST} tokens, given {length}")
    token_NL = np.full((len(texts), length), PADDING, dtype=np.uint16)
    for row, text in enumerate(texts):
        content = _bytes(text)
        if content:
            whole = content[: length - 2].decode("utf-8", "ignore").encode()
            token_NL[row, : len(whole) + 2] = [BEGIN, *whole, END]
    return token_NL


def longer_than(texts: Sequence[str], length: int) -> int:
    """How many of the texts are cut to ``length`` tokens."""
    return sum(len(_bytes(text)) > length - 2 for text in texts)


def text_of(token_L: Sequence[int] | NDArray[np.uint16]) -> str:
    """The text of a row of tokens; empty for none."""
    return bytes(int(token) for token in token_L if PADDING < token < BEGIN).decode("utf-8", "replace")


def plain(text: str) -> str:
    """Small letters and single blanks, as CLIP reads; to a tower of bytes, ``Sun`` and ``sun`` would be unlike."""
    return " ".join(text.replace("\0", "").lower().split())


def _bytes(text: str) -> bytes:
    return plain(text).encode("utf-8", "replace")

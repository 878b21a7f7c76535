"""Bytes as tokens."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.language.tokens import BEGIN, END, VOCABULARY, longer_than, plain, text_of, tokens

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


@settings(max_examples=50, deadline=None)
@given(text=TEXTS)
def test_any_text_comes_back_in_small_letters(text: str) -> None:
    (token_L,) = tokens([text], 100)
    assert text_of(token_L) == plain(text)
    assert token_L.max() == (END if plain(text) else 0) < VOCABULARY


@settings(max_examples=50, deadline=None)
@given(text=TEXTS, length=st.integers(8, 30))
def test_what_does_not_fit_is_cut_after_a_whole_character(text: str, length: int) -> None:
    (token_L,) = tokens([text], length)
    shown = text_of(token_L)
    assert plain(text).startswith(shown)
    rest = plain(text)[len(shown) :]
    assert (longer_than([text], length) == 1) == bool(rest)
    if rest:
        assert len((shown + rest[0]).encode()) > length - 2


def test_capitals_and_blanks_make_no_difference() -> None:
    assert np.array_equal(*tokens(["Animals  &\tNature ", "animals & nature"], 40))


def test_a_row_is_begin_bytes_end_and_padding() -> None:
    assert tokens(["Ä!", " "], 8).tolist() == [[BEGIN, 195, 164, 33, END, 0, 0, 0], [0] * 8]
    assert tokens(["ä!"], 8).dtype == np.uint16
    with pytest.raises(ValueError, match="at least 8 tokens, given 4"):
        tokens(["x"], 4)

"""The network that reads texts."""

import pytest
import torch

from trainables.language.texts import Texts
from trainables.language.tokens import tokens
from trainables.language.tower import Tower


def rows(*texts: str, length: int = 24) -> torch.Tensor:
    return torch.from_numpy(tokens(texts, length)).long()


def tower(**changed: int) -> Tower:
    torch.manual_seed(0)
    return Tower(**{"length": 24, "width": 32, "depth": 2, "outputs": 5, **changed}).eval()


def test_a_text_is_read_to_its_end_and_no_further() -> None:
    """Neither padding nor the longest text of a batch says anything of it."""
    reader, short = tower(), rows("a cat")
    among = reader(rows("a cat", "a rather long text"))
    padded = short.clone()
    padded[0, 10:] = 65
    torch.testing.assert_close(among[0], reader(short)[0])
    torch.testing.assert_close(reader(padded)[0], reader(short)[0])
    assert not torch.allclose(reader(rows("a cut")), reader(short))


def test_the_order_of_letters_matters() -> None:
    reader = tower()
    assert not torch.allclose(reader(rows("tac")), reader(rows("cat")))


def test_vectors_in_place_of_tokens_are_read_alike() -> None:
    reader, token_NL = tower(), rows("a cat", "two dogs")
    torch.testing.assert_close(reader.encoded(reader.token(token_NL), token_NL.argmax(1)), reader(token_NL))


def test_a_prefix_says_which_kind_of_text_it_is() -> None:
    """Equal prefixes make equal vectors; the first is that of texts of which nothing is said."""
    reader, token_NL = tower(prefixes=2), rows("a cat", "a cat")
    apart = reader(token_NL, torch.tensor([0, 1]))
    assert not torch.allclose(apart[0], apart[1])
    torch.testing.assert_close(reader(token_NL)[1], apart[0])
    with torch.no_grad():
        reader.prefix_PW[1] = reader.prefix_PW[0]
    torch.testing.assert_close(reader(token_NL, torch.tensor([0, 1]))[1], apart[0])


def test_what_cannot_be_read_is_one_sentence() -> None:
    with pytest.raises(ValueError, match="a width that 16 divides and at least one block, given 40 and 1"):
        tower(width=40, depth=1)
    with pytest.raises(
        ValueError, match=r"texts have 32 tokens and the text tower reads 24; make data\.caption_tokens"
    ):
        tower()(rows("x", length=32))


def test_images_and_texts_have_length_one_and_a_bounded_scale() -> None:
    torch.manual_seed(0)
    texts = Texts(6, length=24, width=4, text_width=16, text_depth=1, temperature=0.07, learned=True)
    assert texts.of_texts(["a", "b"]).norm(dim=1).tolist() == pytest.approx([1, 1])
    assert texts.of_images(torch.rand(3, 6)).norm(dim=1).tolist() == pytest.approx([1, 1, 1])
    assert texts.scale.item() == pytest.approx(1 / 0.07)
    with torch.no_grad():
        texts.log_scale.fill_(9.0)
    texts.bound()
    assert texts.scale.item() == pytest.approx(100)
    with pytest.raises(ValueError, match=r"temperature of at least 0\.01, given 4 and 0"):
        Texts(6, length=24, width=4, text_width=16, text_depth=1, temperature=0, learned=True)

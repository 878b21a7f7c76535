"""Hidden words, and colours painted from captions."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.trainables.small import batch, loss_of, network
from trainables.backbones import mobile
from trainables.deploy import Deployable
from trainables.language.texts import Texts
from trainables.language.tokens import text_of, tokens
from trainables.language.words import Words, one_word
from trainables.objectives import clip
from trainables.objectives._colour import grey
from trainables.objectives._painting import Painting
from trainables.plan import Batch

TEXTS = ["a red  apple", "sun", "", "größer als"]


def rows(texts: list[str]) -> Tensor:
    return torch.from_numpy(tokens(texts, 24)).long()


def test_one_word_of_each_text_is_hidden_and_every_word_in_turn() -> None:
    token_BL, seen = rows(TEXTS), [set[str]() for _ in TEXTS]
    for seed in range(40):
        hidden_BL = one_word(token_BL, torch.Generator().manual_seed(seed))
        for row, (token_L, hidden_L) in enumerate(zip(token_BL, hidden_BL, strict=True)):
            seen[row].add(text_of(token_L[hidden_L].numpy()))
    assert seen == [{"a", "red", "apple"}, {"sun"}, {""}, {"größer", "als"}]


def test_what_is_hidden_is_not_read() -> None:
    """The loss is the cross-entropy of its bytes, a mean over each word and over texts; without texts it is 0."""
    torch.manual_seed(0)
    texts = Texts(4, length=24, width=8, text_width=16, text_depth=1)
    words, image_BE = Words(texts), torch.randn(3, 8)

    def loss(*captions: str) -> Tensor:
        value: Tensor = words(texts, image_BE[: len(captions)], rows(list(captions)), torch.Generator().manual_seed(3))
        return value

    with torch.no_grad():
        words.told[2].weight.zero_()
        words.told[2].bias.zero_()
        words.told[2].bias[ord("s")] = 2.0  # the same scores whatever is read
        zero = torch.zeros(256)
        zero[ord("s")] = 2.0
        log_K = zero.log_softmax(dim=0)
        expected = -(log_K[ord("s")] + log_K[ord("u")] + log_K[ord("n")]) / 3 - log_K[ord("x")]
        torch.testing.assert_close(loss("sun", "x", ""), expected / 2)
    nothing = loss("", "")
    nothing.backward()  # type: ignore[no-untyped-call]
    assert nothing == 0
    assert all(one.grad is not None for one in words.parameters())


@pytest.mark.parametrize("term", ["words", "painted"])
def test_terms_train_both_towers(term: str) -> None:
    body = colourful()
    objective = clip.objective(body, width=8, **{term: 1.0})
    term_alone = loss_of(objective.eval(), in_colour()) - loss_of(clip.objective(body, width=8).eval(), in_colour())
    assert term_alone.isfinite()
    loss_of(objective.train(), in_colour()).backward()  # type: ignore[no-untyped-call]
    missing = [name for name, one in objective.named_parameters() if one.requires_grad and one.grad is None]
    assert missing == []
    assert clip.passes(**{term: 1.0}) == (2.0 if term == "painted" else 1.0)


def colourful() -> Deployable:
    torch.manual_seed(0)
    body = mobile.build(
        classes=10, channels=3, resolution=8, stem_width=8, width=[8], depth=[1], kernel=[3], expansion=[2],
        stride=[2], squeeze_excite=[True], activation="relu", head_expansion=1, head_width=16, stem_stride=1,
    )  # fmt: skip
    return Deployable(body, mean=[0.3] * 3, std=[0.4] * 3, resolution=8)


def in_colour() -> Batch:
    image_B3HW = torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    return replace(batch(), image_BCHW=image_B3HW)


def test_grey_images_are_refused() -> None:
    with pytest.raises(ValueError, match="needs images in colour, of 3 channels, not 1"):
        clip.objective(network("clip"), painted=1.0)


def test_colours_are_learnt_from_captions_where_images_do_not_tell_them() -> None:
    """Grey squares that are red or blue as their captions say; with the captions of others nothing is learnt."""
    generator = torch.Generator().manual_seed(0)
    red_B = torch.rand(32, generator=generator) < 0.5
    image_B3HW = torch.zeros(32, 3, 8, 8)
    image_B3HW[red_B, 0], image_B3HW[~red_B, 2] = 0.3, 0.3 * 0.299 / 0.114
    torch.testing.assert_close(grey(image_B3HW).amin(), grey(image_B3HW).amax())
    right_BE = torch.stack([red_B.float(), (~red_B).float()], dim=1)
    errors = []
    for text_BE in (right_BE, right_BE[torch.randperm(32, generator=generator)]):
        torch.manual_seed(0)
        painting = Painting(colourful(), 2, 16)
        map_BFHW, there_B = torch.ones(32, painting.enter.in_channels, 4, 4), torch.ones(32, dtype=torch.bool)
        optimizer = torch.optim.Adam(painting.parameters(), lr=1e-2)
        for _ in range(60):
            optimizer.zero_grad()
            loss = painting(map_BFHW, text_BE, image_B3HW, there_B)
            loss.backward()
            optimizer.step()
        errors.append(float(loss.detach()))
    assert errors[0] < 0.2 * errors[1]

"""Captions derived from labels and measurements."""

from typing import Any

import numpy as np
import pytest

from trainables.data import digits
from trainables.data.captioned import load, measured
from trainables.data.sources import load_source
from trainables.language.tokens import tokens
from trainables.splits import DataError, Images


def captions(images: Images) -> list[bytes]:
    return [one.tobytes() for one in images.fields["caption"][:, 0]]


def test_images_are_those_of_the_source() -> None:
    splits, bare = load(), digits.load(validation=0.2)
    assert np.array_equal(splits.train.image_NCHW, bare.train.image_NCHW)
    assert splits.captions == ("en",)
    assert splits.survey is not None
    assert "none was written by a person" in splits.survey.remarks[0]


def test_one_sentence_says_the_class() -> None:
    test = load(captions=["en", "de"]).test
    for slot, sentence in enumerate(("A picture of: seven.", "Ein Bild von: Sieben.")):
        token_ML = test.fields["caption"][test.label_N == 7][:, slot]
        assert np.array_equal(token_ML, np.repeat(tokens([sentence], 96), len(token_ML), axis=0))


def test_captions_of_no_quality_are_all_the_same() -> None:
    assert len(set(captions(load(quality=0.0, sentences=3).train))) == 1


def test_quality_is_the_share_that_says_what_is_shown() -> None:
    splits = load(quality=0.3)
    for images in (splits.train, splits.validation, splits.test):
        silent = tokens(["A picture."], 96).tobytes()
        count = sum(one != silent for one in captions(images))
        assert count == (images.fields["origin"] == 0).sum() == round(0.3 * len(images))


def test_more_sentences_say_what_was_measured() -> None:
    train = load(sentences=3).train
    bright_N = np.argsort(train.fields["attribute"][:, 0])
    most, least = train.fields["caption"][bright_N[[-1, 0]], 0]
    assert bytes(most[most > 0].astype(np.uint8)).find(b"bright") != bytes(least[least > 0].astype(np.uint8)).find(
        b"bright"
    )
    assert len({one for one, label in zip(captions(train), train.label_N, strict=True) if label == 3}) > 3


def test_slant_is_that_of_a_drawn_line() -> None:
    image_NCHW = np.zeros((2, 1, 9, 9), dtype=np.uint8)
    for row in range(9):
        image_NCHW[0, 0, row, 8 - row] = 255  # rises to the right, one to one
        image_NCHW[1, 0, row, 4] = 255
    assert measured(Images(image_NCHW=image_NCHW, label_N=np.zeros(2, dtype=np.int64)))[:, 1] == pytest.approx(
        [1.0, 0.0]
    )


@pytest.mark.parametrize(
    ("keywords", "sentence"),
    [
        ({"of": "emoji"}, "data.of is 'emoji'; captions are derived for digits and fashion_mnist"),
        ({"captions": ["fr"]}, "data.captions has 'fr'; captions are derived in en, de"),
        ({"quality": 1.5}, "data.quality is a share, 0 to 1, and data.sentences 1 to 3"),
        ({"sentences": 4}, "data.quality is a share, 0 to 1, and data.sentences 1 to 3"),
    ],
)
def test_what_cannot_be_derived_is_one_sentence(keywords: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        load_source("captioned", keywords)

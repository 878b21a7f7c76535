"""Captions that sources have, and what can be done to them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.miniatures import emoji as small_emoji
from tests.miniatures import folder as small_folder
from trainables.data.sources import load_source
from trainables.language.tokens import text_of
from trainables.splits import DataError, Images, Splits


def texts(images: Images) -> list[list[str]]:
    """Captions of each image."""
    return [[text_of(token_L) for token_L in token_TL] for token_TL in images.fields["caption"]]


@pytest.fixture
def photos(tmp_path: Path) -> dict[str, Any]:
    """Keywords of a folder whose images have their name as a caption, in two languages."""
    written = small_folder.write(tmp_path)
    for number, image in enumerate(sorted(Path(written["path"]).rglob("*.png"))):
        own = f"{image.parent.name} {image.stem}"
        german = f"de.utf8=Bild {own}" if number % 2 else ""
        image.with_suffix(".txt").write_text(f"{own}\n{german}\nsecond line {number}\n", encoding="utf-8")
    return written


def test_lines_beside_an_image_are_its_captions(photos: dict[str, Any]) -> None:
    splits = load_source("folder", {**photos, "captions": ["own", "de"]})
    assert splits.captions == ("own 1", "own 2", "de")
    for images in (splits.train, splits.validation, splits.test):
        for label, (first, second, german) in zip(images.label_N, texts(images), strict=True):
            assert first.startswith(f"c{label} ")
            assert second.startswith("second line ")
            assert german in ("", f"bild {first}")
    assert splits.survey is not None
    assert "30 image(s) have no caption 'de'" in splits.survey.remarks


def test_captions_stay_with_their_images_when_some_cannot_be_read(photos: dict[str, Any]) -> None:
    broken = Path(photos["path"]) / "c1" / "3.png"
    broken.write_bytes(b"no image")
    splits = load_source("folder", {**photos, "captions": "own", "stored": 8})
    for images in (splits.train, splits.validation, splits.test):
        assert all(own[0].startswith(f"c{label} ") for label, own in zip(images.label_N, texts(images), strict=True))


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"captions": "fr"}, r"no image has a caption 'fr'; there are own \(60\), de \(30\)"),
        ({"captions": ["de", "de"]}, "names a language twice"),
        ({"captions": 3}, r"must be a language, or a list such as \[en, de\]"),
        ({"captions": "own", "caption_tokens": 4}, "caption_tokens is 8 to 512, given 4"),
        ({"wrong_captions": 0.5}, "wrong_captions needs captions"),
        ({"captions": "own", "wrong_captions": 2}, "wrong_captions is a share of the training images"),
        ({"class_captions": 0.5}, "gives the other images no captions; set it to 1"),
    ],
)
def test_captions_that_cannot_be_are_one_sentence(
    photos: dict[str, Any], keywords: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load_source("folder", {**photos, **keywords})


def test_long_captions_are_cut_and_counted(photos: dict[str, Any]) -> None:
    splits = load_source("folder", {**photos, "captions": "own", "caption_tokens": 8})
    assert splits.survey is not None
    assert "60 caption(s) 'own 2' are longer than 8 tokens (bytes) and are cut" in splits.survey.remarks


def test_a_share_of_captions_is_of_other_images(photos: dict[str, Any]) -> None:
    """Of training images alone, each caption as often as before."""
    right = load_source("folder", {**photos, "captions": "own"})
    wrong = load_source("folder", {**photos, "captions": "own", "wrong_captions": 0.5})
    moved = sum(own != other for own, other in zip(texts(right.train), texts(wrong.train), strict=True))
    assert moved == round(0.5 * len(right.train))
    assert sorted(texts(right.train)) == sorted(texts(wrong.train))
    assert texts(right.validation) == texts(wrong.validation)


def test_class_names_are_captions_of_a_share_and_say_so(photos: dict[str, Any]) -> None:
    splits = load_source("folder", {**photos, "captions": "own", "class_captions": 0.25})
    origin_N = splits.train.fields["origin"]
    assert origin_N.sum() == round(0.25 * len(splits.train))
    for origin, label, own in zip(origin_N, splits.train.label_N, texts(splits.train), strict=True):
        assert (own == [f"c{label}", ""]) == bool(origin)


def test_images_without_captions_have_class_names() -> None:
    splits = load_source("digits", {"class_captions": 1.0})
    assert splits.captions == ("class",)
    for images in (splits.train, splits.test):
        assert texts(images) == [[str(label)] for label in images.label_N]


@pytest.fixture
def emoji(tmp_path: Path) -> dict[str, Any]:
    return small_emoji.write(tmp_path)


def named(splits: Splits) -> list[tuple[str, str]]:
    return [
        (splits.classes[label], own[0]) for label, own in zip(splits.train.label_N, texts(splits.train), strict=True)
    ]


def test_emoji_have_names_and_keywords_in_every_language(emoji: dict[str, Any]) -> None:
    splits = load_source("emoji", {**emoji, "captions": ["de", "en"], "keywords": True})
    assert splits.captions == ("de 1", "de 2", "en 1", "en 2")
    for group, name in named(splits):
        assert name.startswith(f"ein {group.lower()} ")
    assert all(own[3].startswith("x, ") for own in texts(splits.train))
    drawn_NCHW = np.asarray(splits.train.image_NCHW)
    assert len(np.unique(drawn_NCHW.reshape(len(drawn_NCHW), -1), axis=0)) == len(splits.train)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"captions": "xx"}, r"has no language 'xx'; it has de, en"),
        ({"level": "kind"}, "group or subgroup, given 'kind'"),
    ],
)
def test_emoji_that_cannot_be_are_one_sentence(emoji: dict[str, Any], keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_source("emoji", {**emoji, **keywords})

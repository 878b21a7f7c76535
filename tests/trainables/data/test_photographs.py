"""Folders as people have them: what is a class, what is a part, what is left out, and what is said of it."""

import os
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from search.rehearsal.data_page import data_page, notices
from trainables.data import decoded, folder
from trainables.data.kept import names_of
from trainables.splits import DataError, Splits


def photographs(folder: Path, count: int = 10, seed: int = 0) -> None:
    """Different pictures of noise."""
    folder.mkdir(parents=True)
    for number in range(count):
        pixels = np.random.default_rng([seed, number]).integers(0, 256, (9, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Splits]:
    def load(*classes: str, **keywords: Any) -> Splits:
        for seed, name in enumerate(classes):
            if not (tmp_path / "d" / name).exists():
                photographs(tmp_path / "d" / name, seed=seed)
        return folder.load(path=str(tmp_path / "d"), resolution=8, cache=str(tmp_path / "cache"), **keywords)

    return load


def page(splits: Splits) -> str:
    return "\n".join(data_page(splits))


def test_a_class_named_train(load: Callable[..., Splits]) -> None:
    splits = load("bus", "car", "train/steam", "train/modern")
    assert splits.classes == ("bus", "car", "train")
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 40
    assert notices(splits) == [
        "folder 'train' is read as a class, since 'bus', 'car' lie beside it; were it a part, move those"
    ]


@pytest.mark.parametrize("names", [("Train", "Test"), ("TRAINING", "Testing", "valid"), ("train", "dev", "test")])
def test_parts_by_their_usual_names(names: tuple[str, ...], load: Callable[..., Splits], tmp_path: Path) -> None:
    (tmp_path / "d" / "__MACOSX").mkdir(parents=True)
    (tmp_path / "d" / ".cache").mkdir()
    splits = load(*(f"{part}/{name}" for part in names for name in ("cat", "dog")), split="drawn")
    assert splits.classes == ("cat", "dog")
    assert len(splits.test) == 20
    assert len(splits.validation) == (20 if len(names) == 3 else 8)


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        (
            ("train/cat", "train/dog", "val/cat", "val/dog", "extra"),
            "has the parts 'train', 'val' and beside them 'extra'",
        ),
        (("train/cat", "train/dog", "val/cat", "valid/cat"), "'val', 'valid', which mean the same part"),
        (("val/cat", "test/cat"), "no folder 'train'"),
        (
            ("train/cat", "train/dog", "test/cat", "test/bird"),
            "has class 'bird', which the training part does not have",
        ),
    ],
)
def test_folders_that_can_be_meant_either_way(
    folders: tuple[str, ...], words: str, load: Callable[..., Splits]
) -> None:
    with pytest.raises(DataError, match=words):
        load(*folders)


def test_names_in_any_script(load: Callable[..., Splits], tmp_path: Path) -> None:
    apart = unicodedata.normalize("NFD", "bébé")
    joined = ["👨\u200d👩\u200d👧", "می\u200cخواهم"]
    names = ["кошка", "犬", "a b", "$x_1$", "<b>", *joined, apart, "😀"]
    splits = load(*names)
    assert sorted(splits.classes) == sorted([*names[:-2], "bébé", "😀"])
    (tmp_path / "d" / "two\nlines").mkdir()
    with pytest.raises(DataError, match=r"two\\nlines' has a character that cannot be shown"):
        load()
    (tmp_path / "d" / "two\nlines").rmdir()
    (tmp_path / "d" / os.fsdecode(b"caf\xe9")).mkdir()
    with pytest.raises(DataError, match=r"caf\\\\xe9.* is no text in UTF-8; rename it"):
        load()


def test_what_names_leave_out_or_may_mix_up_is_said(load: Callable[..., Splits], tmp_path: Path) -> None:
    photographs(tmp_path / "d" / ".hidden", count=2)
    (tmp_path / "d" / ".cache").mkdir()
    (tmp_path / "d" / ".cache" / "index").touch()
    lines = list(data_page(load("Cat", "cat", "ca t", "dog"), pixels=False))
    assert "warning: folders whose names begin with a dot are not read: '.hidden'" in lines
    (line,) = [line for line in lines if "case or spaces" in line]
    assert "'Cat' and 'ca t' and 'cat'; make one of them" in line
    shutil.rmtree(tmp_path / "d" / "dog")
    for name in ("cat", "ca t"):
        shutil.rmtree(tmp_path / "d" / name)
    with pytest.raises(DataError, match=r"1 class folder\(s\): Cat.*begin with a dot are not read: '.hidden'"):
        load()


def test_files_are_named_by_where_they_really_are(tmp_path: Path) -> None:
    photographs(tmp_path / "d" / "a", count=2)
    photographs(tmp_path / "d" / "b", count=2)
    (tmp_path / "linked").symlink_to(tmp_path / "d")
    (tmp_path / "d" / "a" / "link.png").symlink_to(Path("..") / "b" / "1.png")
    files = [*(tmp_path / "d").rglob("*.png"), *(tmp_path / "linked" / "a").glob("*.png")]
    resolved = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    assert list(decoded._listed(files)) == resolved


def test_links_are_followed(load: Callable[..., Splits], tmp_path: Path) -> None:
    photographs(tmp_path / "elsewhere", count=5, seed=7)
    load("a", "b")
    (tmp_path / "d" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "d" / "b" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "d" / "a" / "circle").symlink_to(tmp_path / "d" / "a")
    (tmp_path / "d" / "a" / "lost.png").symlink_to(tmp_path / "nowhere.png")
    splits = load()
    assert splits.classes == ("a", "b", "linked")
    counts = sum(np.bincount(part.label_N) for part in (splits.train, splits.validation, splits.test))
    assert counts.tolist() == [10, 15, 5]
    assert splits.survey is not None
    assert splits.survey.skipped == {"broken link": 1}


def test_unreadable_images_are_left_out_and_named(load: Callable[..., Splits], tmp_path: Path) -> None:
    load("a", "b", "c")
    whole = (tmp_path / "d" / "b" / "3.png").read_bytes()
    (tmp_path / "d" / "b" / "3.png").write_bytes(whole[:-40])
    for _ in range(2):  # the second time from the cache
        splits = load()
        assert sum(map(len, (splits.train, splits.validation, splits.test))) == 29
        (sentence,) = notices(splits)
        assert sentence.startswith("1 of 30 images cannot be read and are left out: ")
        assert "b/3.png' (image file is truncated" in sentence
    names = [name for part in (splits.train, splits.validation, splits.test) for name in names_of(part)]
    assert len(names) == 29
    assert not any(name.endswith("b/3.png") for name in names)
    with pytest.raises(
        DataError, match=r"1 of 30 images of .* cannot be read, and data.unreadable allows 1%: .*3\.png"
    ):
        load(unreadable=0.01)
    (tmp_path / "d" / "a" / "0.png").write_bytes(b"")
    with pytest.raises(DataError, match="2 of 30 images"):
        load()
    assert len(load(unreadable=0.1).train) == 16


def test_nothing_that_can_be_read(load: Callable[..., Splits], tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "d" / name).mkdir(parents=True)
        (tmp_path / "d" / name / "x.png").write_bytes(b"x")
    with pytest.raises(DataError, match="2 of 2 images"):
        load()


def test_images_keep_their_names(load: Callable[..., Splits], tmp_path: Path) -> None:
    splits = load("a", "b")
    for part in (splits.train, splits.validation, splits.test):
        for name, image_CHW, label in zip(names_of(part), np.asarray(part.image_NCHW), part.label_N, strict=True):
            assert Path(name).parent.name == splits.classes[label]
            with Image.open(name) as image:  # twelve pixels by nine, of which the middle is resized to eight
                middle = image.resize((8, 8), Image.Resampling.BICUBIC, box=(12 / 10 * 1, 0, 12 / 10 * 9, 9))
                assert np.abs(np.asarray(middle).astype(int).transpose(2, 0, 1) - image_CHW).max() <= 1


def test_one_photograph_a_class(load: Callable[..., Splits], tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        photographs(tmp_path / "d" / name, count=1)
    with pytest.raises(DataError, match=r"class 'a' has 1 image\(s\), and 2 more classes have fewer than 3;") as caught:
        load()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ({"validation": 0.6, "test": 0.5}, "leave none to train on"),
        ({"validation": 0}, "data.validation is a share of all images, between 0 and 1, given 0"),
        ({"test": 0.01, "split": "drawn"}, "cannot split 20 images of 2 classes at 1% with every class in both parts"),
    ],
)
def test_shares_that_cannot_be(shares: dict[str, Any], words: str, load: Callable[..., Splits]) -> None:
    with pytest.raises(DataError, match=words):
        load("a", "b", **shares)


def test_a_video_among_the_images_and_alone(load: Callable[..., Splits], tmp_path: Path) -> None:
    load("a", "b")
    (tmp_path / "d" / "a" / "clip.MP4").touch()
    assert notices(load()) == [
        "1 video file(s) are not read; to use them, extract images, those of one video into one part"
    ]
    (tmp_path / "d" / "c").mkdir()
    (tmp_path / "d" / "c" / "clip.mov").touch()
    with pytest.raises(DataError, match=r"d/c' has no image .*: 1 video file\(s\) are not read"):
        load()


@pytest.mark.parametrize("background", ["blurred", [1, 2], [0, 0, 256], 3, None])
def test_a_background_that_is_no_colour(background: Any, load: Callable[..., Splits]) -> None:
    with pytest.raises(DataError, match="a background is a colour such as white"):
        load("a", "b", background=background)


def test_another_background_is_another_set(load: Callable[..., Splits], tmp_path: Path) -> None:
    load("a", "b")
    for name in ("a", "b"):
        for file in (tmp_path / "d" / name).iterdir():
            Image.new("LA", (8, 8), (0, 0)).save(file)
    for background, level in (("white", 255), ("#000000", 0), ([9, 9, 9], 9), ("white", 255)):
        assert np.unique(load(background=background).train.image_NCHW).tolist() == [level]


def test_the_page_says_what_matters(load: Callable[..., Splits], tmp_path: Path) -> None:
    load("a", "b", "c")
    photographs(tmp_path / "d" / "many", count=120, seed=9)
    shutil.copy(tmp_path / "d" / "a" / "0.png", tmp_path / "d" / "b" / "0.png")
    for number in range(3):
        Image.new("RGBA", (40, 10), (255, 255, 255, 9)).save(tmp_path / "d" / "c" / f"{number}.png")
    (tmp_path / "d" / "a" / "a.txt").touch()
    (tmp_path / "d" / "a" / "photo.heic").touch()
    text = page(load(split="drawn"))
    for words in (
        "files: 150 images (PNG 150; modes RGB 147, RGBA 3), shorter sides of 9 to 10 pixels, half of them 9 or less",
        "of these: 3 with transparency, laid on white; 3 more than twice as long as wide",
        "other files, not read: .heic 1, .txt 1",
        "classes: 4, the largest 'many' with 120 images, the smallest 'a' with 10",
        "always naming 'many' is right on 80.0% of the test images",
        "pixels: 3 blank images, 1 that equal another one at this size",
        "warning: 1 .heic file(s) are not read; convert them to PNG or JPEG",
        "warning: blank images (data.background is white): 3, 'c/",
        "warning: equal images of several classes, one of which at most is right: 1 set(s), such as '",
        "warning: the largest class has 12 times the training images of the smallest",
        "warning: 30 test images tell an accuracy within 0.18 at best (95 % interval)",
    ):
        assert words in text, text


def test_classes_of_one_size_are_told_by_it(load: Callable[..., Splits], tmp_path: Path) -> None:
    load("a", "b")
    assert "classes: 2, of 10 images each; always naming 'a' is right on " in page(load(split="drawn"))


def test_equal_images_in_several_parts(load: Callable[..., Splits], tmp_path: Path) -> None:
    load(*(f"{part}/{name}" for part in ("train", "val") for name in ("a", "b")))
    shutil.copy(tmp_path / "d" / "train" / "a" / "0.png", tmp_path / "d" / "val" / "a" / "9.png")
    text = page(load())
    assert "equal images in several parts, whose accuracies are therefore too good: 1 set(s), such as '" in text
    assert "'val/a/9.png' (search-validation)" in text


def test_captions_that_are_read_are_none_of_the_files_that_are_not(load: Callable[..., Splits], tmp_path: Path) -> None:
    load("a", "b")
    for number in range(10):
        (tmp_path / "d" / "a" / f"{number}.txt").write_text("en.utf8=A picture.")
    (tmp_path / "d" / "b" / "notes.txt").write_text("none")
    assert "other files, not read: .txt 11" in page(load())
    assert "other files, not read: .txt 1\n" in page(load(captions="en"))

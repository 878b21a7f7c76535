"""Pictures listed in a table."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from spaces.candidate import Candidate
from tests.miniatures import manifest as miniature
from tests.trainables.small import MOBILE, OPTIMIZER
from trainables.data import folder
from trainables.data.manifest import load
from trainables.data.sources import load_source
from trainables.language.tokens import tokens
from trainables.splits import DataError, Splits
from trainables.stages.phases import Task
from trainables.training.trial import trial

Rewrite = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture
def keywords(tmp_path: Path) -> dict[str, Any]:
    return miniature.write(tmp_path)


def rewritten(keywords: dict[str, Any], change: Rewrite, name: str = "changed.csv") -> dict[str, Any]:
    """Keywords of a table that is a changed copy of the miniature's."""
    path = Path(keywords["path"])
    table = change(pd.read_csv(path))
    target = path.with_name(name)
    if name.endswith(".parquet"):
        table.to_parquet(target, index=False)
    elif ".jsonl" in name:
        table.to_json(target, orient="records", lines=True)
    else:
        table.to_csv(target, index=False)
    return {**keywords, "path": str(target)}


def reports(splits: Splits, **pretraining: Any) -> list[tuple[float, float]]:
    candidate = Candidate(
        backbone="mobile",
        objective="supervised",
        architecture=MOBILE,
        recipe=OPTIMIZER,
        pretraining={"objective": "simclr", "share": 0.5, **OPTIMIZER, "batch.size": 8, **pretraining},
        adaptation={"method": "full"},
    )
    return [(one.loss, one.accuracy) for one in trial(Task(candidate=candidate, epochs=2, seed=0), splits)]


def test_the_same_pictures_train_bit_for_bit_as_those_of_a_folder(keywords: dict[str, Any]) -> None:
    shuffled = rewritten(keywords, lambda table: table.sample(frac=1, random_state=0))
    of_table = load(**shuffled)
    of_folder = folder.load(path=keywords["images"], resolution=8, cache=keywords["cache"])
    assert of_table.classes == of_folder.classes
    for one, other in ((of_table.train, of_folder.train), (of_table.test, of_folder.test)):
        assert np.array_equal(one.image_NCHW[:], other.image_NCHW[:])
        assert np.array_equal(one.label_N, other.label_N)
    assert reports(of_table) == reports(of_folder)


@pytest.mark.parametrize("name", ["changed.parquet", "changed.jsonl", "changed.jsonl.gz", "changed.csv.gz"])
def test_every_kind_of_table_says_the_same(name: str, keywords: dict[str, Any]) -> None:
    whole = load(**keywords)
    other = load(**rewritten(keywords, lambda table: table, name))
    assert np.array_equal(whole.train.image_NCHW[:], other.train.image_NCHW[:])
    assert np.array_equal(whole.train.label_N, other.train.label_N)


def test_a_flagged_picture_never_appears(keywords: dict[str, Any]) -> None:
    def flag(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(flags=["person" if row % 4 == 0 else "" for row in range(len(table))])

    whole, rest = load(**keywords), load(**rewritten(keywords, flag))
    size = {id(one): sum(map(len, (one.train, one.validation, one.test))) for one in (whole, rest)}
    assert (size[id(whole)], size[id(rest)]) == (60, 45)
    assert rest.survey is not None
    assert "15 flagged picture(s) of the manifest are left out" in rest.survey.remarks


def test_labels_of_a_pool_cannot_be_read(keywords: dict[str, Any]) -> None:
    def changed(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(label="x", group=range(len(table)), flags=["f", *[""] * (len(table) - 1)])

    pool = rewritten(keywords, changed)
    asked = {"source": "manifest", "path": pool["path"], "images": pool["images"], "cache": pool["cache"]}
    splits = load_source("manifest", {**keywords, "pools": {"photos": asked}})
    photos = splits.pools["photos"]
    assert len(photos) == 59
    assert set(photos.label_N.tolist()) == {0}
    assert set(photos.fields) == {"group"}
    assert len(reports(splits, source="photos")) == 2


def test_columns_become_fields(keywords: dict[str, Any]) -> None:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        rows = np.arange(len(table))
        return table.assign(
            slice=np.where(rows % 2, "dark", "light"),
            group=rows // 2,
            labels=table["label"] + ";c0",
            **{"attribute.ink": rows / 10},
        )

    splits = load(**rewritten(keywords, change))
    assert splits.slices == ("dark", "light")
    images = splits.train
    assert images.fields["labels"].sum(1).tolist() == [1 if label == 0 else 2 for label in images.label_N]
    assert images.fields["attribute"].shape == (len(images), 1)
    groups = [set(part.fields["group"].tolist()) for part in (splits.train, splits.validation, splits.test)]
    assert len(set.union(*groups)) == sum(map(len, groups))  # the images of a group stay together


def test_captions_are_read_by_language(keywords: dict[str, Any]) -> None:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(**{"caption": "picture of " + table["label"], "caption.de": ["Bild", *[""] * 59]})

    captioned = rewritten(keywords, change)
    splits = load(**captioned, captions=["own", "de"], caption_tokens=24)
    assert splits.captions == ("own", "de")
    token_NTL = splits.train.fields["caption"]
    assert token_NTL.shape == (len(splits.train), 2, 24)
    assert np.array_equal(token_NTL[:, 0], tokens([f"picture of c{k}" for k in splits.train.label_N], 24))
    assert "caption" not in load(**captioned).train.fields
    with pytest.raises(DataError, match=r"has no column 'caption.fr'; it has captions own, de"):
        load(**captioned, captions=["fr"])


def test_splits_of_the_table_are_kept(keywords: dict[str, Any]) -> None:
    parts = ["train", "train", "val", "test"]
    whole = load(**rewritten(keywords, lambda table: table.assign(split=[parts[row % 4] for row in range(60)])))
    assert (len(whole.train), len(whole.validation), len(whole.test)) == (30, 15, 15)


def test_labels_may_change_without_decoding_anew(keywords: dict[str, Any]) -> None:
    load(**keywords)
    before = sorted(Path(keywords["cache"]).glob("*.npy"))
    other = load(**rewritten(keywords, lambda table: table.assign(label=table["label"].str.upper())))
    assert other.classes == ("C0", "C1", "C2")
    assert sorted(Path(keywords["cache"]).glob("*.npy")) == before


def test_a_table_and_its_pictures_may_lie_anywhere(keywords: dict[str, Any], tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "pictures"), "zip", keywords["images"])
    far = load(**{**keywords, "path": f"file://{keywords['path']}", "images": f"zip://::file://{archive}"})
    near = load(**keywords)
    assert np.array_equal(far.train.image_NCHW[:], near.train.image_NCHW[:])


def test_whole_photographs_are_evaluated_with_their_own_labels(keywords: dict[str, Any]) -> None:
    whole, squares = load(**keywords, stored=16), load(**keywords)
    assert np.array_equal(whole.test.label_N, squares.test.label_N)
    assert np.array_equal(whole.test.image_NCHW[:], squares.test.image_NCHW[:])


def test_missing_pictures_count_as_unreadable(keywords: dict[str, Any]) -> None:
    (Path(keywords["images"]) / "c1" / "3.png").unlink()
    splits = load(**keywords)
    assert splits.survey is not None
    assert [reason for _, reason in splits.survey.unreadable] == ["there is no such file"]


def first(column: str, value: object) -> Rewrite:
    return lambda table: table.assign(**{column: [value, *table.get(column, pd.Series("x", table.index))[1:]]})


@pytest.mark.parametrize(("delimiter", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_columns_that_no_comma_separates_are_a_sentence(delimiter: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "photos.csv").write_text(delimiter.join(["path", "label"]) + "\n" + delimiter.join(["a.png", "cat"]))
    with pytest.raises(DataError, match=f"has no column 'path', but .*; separate columns by commas, not by {name}"):
        load_source("manifest", {"path": str(tmp_path / "photos.csv")})


@pytest.mark.parametrize(
    ("change", "more", "sentence"),
    [
        (lambda table: table.drop(columns="label"), {}, "has no column 'label'; without labels it can be one of data"),
        (lambda table: table.drop(columns="path"), {}, "has no column 'path', but label, licence"),
        (lambda table: table[:0], {}, "has no rows"),
        (first("path", ""), {}, "row 1 of .* has no path"),
        (first("path", "c0/1.png"), {}, r"row 2 \('c0/1.png'\) of .* is row 1 again"),
        (first("label", ""), {}, r"row 1 \('c0/0.png'\) of .* has no label"),
        (first("split", "tset"), {}, r"has split 'tset'; it can be train, training, val"),
        (
            first("licence", ""),
            {"licences": ["cc0"]},
            r"row 1 \('c0/0.png'\) of .* has no licence, which data",
        ),
        (lambda table: table, {"licences": ["mit"]}, r"no row .* may be used: 60 picture\(s\) of other licences"),
        (lambda table: table, {"attributed": True}, "has no column 'attribution'"),
        (lambda table: table, {"licences": "cc0"}, "data.licences is 'cc0'; it must be a list"),
        (lambda table: table.assign(labels="c9"), {}, "has 'c9' among its labels, which is the label of no row"),
        (
            lambda table: table.assign(**{"attribute.ink": "much"}),
            {},
            ".attribute.ink. of .* is to hold numbers",
        ),
        (lambda table: table.assign(license="cc0"), {}, "has column 'licence' twice, perhaps by another spelling"),
    ],
)
def test_a_mistake_is_one_sentence(
    change: Rewrite, more: dict[str, Any], sentence: str, keywords: dict[str, Any]
) -> None:
    with pytest.raises(DataError, match=sentence) as caught:
        load(**{**rewritten(keywords, change), **more})
    assert "\n" not in str(caught.value)


def test_a_file_of_another_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is none of \.parquet, \.csv"):
        load(path=str(tmp_path / "pictures.xlsx"))


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.parquet", b"PAR1 not really"), ("a.csv", b"\xff\xfe\x00\x00a,b\n"), ("a.jsonl", b"{bad\n")],
)
def test_a_damaged_table_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}' cannot be read"):
        load(path=str(tmp_path / name))

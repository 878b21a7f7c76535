"""What single layouts read, and what their rules refuse."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.miniatures import manifest
from tests.miniatures.layouts import clipart, identities, imaginet, mvimgnet, noise, without_people
from tests.trainables.data.test_manifest import rewritten
from trainables.batches.order import Grouped
from trainables.data import _listed_pictures, digits
from trainables.data._layouts import read_layout
from trainables.data._row_fields import on_squares
from trainables.data.layouts import _colmap
from trainables.data.layouts.mvimgnet import CAMERAS
from trainables.data.manifest import load, unlabelled
from trainables.splits import DataError, Images


@pytest.fixture
def keywords(tmp_path: Path) -> dict[str, Any]:
    return {"path": str(tmp_path), "cache": str(tmp_path / "cache")}


def pool(layout: str, keywords: dict[str, Any], **more: Any) -> Images:
    return unlabelled(digits.load(), layout=layout, **keywords, **more)


# without_people ------------------------------------------------------------------------------------------------------


def test_a_picture_that_shows_a_face_never_appears(tmp_path: Path, keywords: dict[str, Any]) -> None:
    without_people.write(tmp_path)
    assert len(pool("without_people", keywords, licences=["cc-by"])) == 11


def test_pictures_without_people_have_no_classes(tmp_path: Path, keywords: dict[str, Any]) -> None:
    without_people.write(tmp_path)
    with pytest.raises(DataError, match=r"has no column 'label'; without labels it can be one of data.pools"):
        load(layout="without_people", **keywords)


@pytest.mark.parametrize(
    ("old", "new", "lacking"),
    [(",author 2,", ",,", "attribution"), ("datetaken", "license", "licence"), ("\n0003", "\nother", "licence")],
)
def test_a_picture_without_licence_or_author_is_named(
    old: str, new: str, lacking: str, tmp_path: Path, keywords: dict[str, Any]
) -> None:
    without_people.write(tmp_path)
    table = tmp_path / "pass_metadata.csv"
    changed = table.read_text().replace(old, new)
    table.write_text(changed.replace("2004-01-01", "", 3) if new == "license" else changed)
    with pytest.raises(DataError, match=rf"row \d+ \('PASS_dataset/.*.png'\) of '.*' has no {lacking}"):
        pool("without_people", keywords)


def test_a_table_without_authors_lists_its_columns(tmp_path: Path, keywords: dict[str, Any]) -> None:
    without_people.write(tmp_path)
    table = tmp_path / "pass_metadata.csv"
    table.write_text(table.read_text().replace("unickname", "nick"))
    with pytest.raises(DataError, match="has no column 'attribution', but hash, nick, datetaken, flags"):
        pool("without_people", keywords)


# mvimgnet ------------------------------------------------------------------------------------------------------------


def test_pairs_lie_within_one_object(tmp_path: Path, keywords: dict[str, Any]) -> None:
    mvimgnet.write(tmp_path)
    images = pool("mvimgnet", keywords)
    rows = Grouped(per=2).rows(images, 16, 16, np.random.default_rng(0))
    group_P2 = images.fields["group"][rows].reshape(-1, 2)
    assert (group_P2[:, 0] == group_P2[:, 1]).all()
    assert sorted(Counter(images.fields["frame"].tolist()).items()) == [(0, 8), (1, 8), (2, 8)]


def test_no_object_is_in_two_parts(tmp_path: Path, keywords: dict[str, Any]) -> None:
    mvimgnet.write(tmp_path)
    splits = load(layout="mvimgnet", resolution=8, validation=0.3, test=0.3, **keywords)
    groups = [set(part.fields["group"].tolist()) for part in (splits.train, splits.validation, splits.test)]
    assert splits.classes == ("0", "1")
    assert len(set.union(*groups)) == sum(map(len, groups)) == 8


def test_poses_are_those_of_the_cameras(tmp_path: Path, keywords: dict[str, Any]) -> None:
    mvimgnet.write(tmp_path)
    fields = pool("mvimgnet", keywords).fields
    placed_N = np.isfinite(fields["pose"]).all(axis=(1, 2))
    assert placed_N.tolist() == (fields["frame"] < 2).tolist()
    rotation_N33, shift_N3 = fields["pose"][placed_N][:, :, :3], fields["pose"][placed_N][:, :, 3]
    # The quaternion (1, 1, -1, 1) / 2 takes x to z, y to -x and z to -y.
    assert np.allclose(rotation_N33, [[0, -1, 0], [0, 0, -1], [1, 0, 0]], atol=1e-6)
    assert shift_N3[:, 0].tolist() == fields["frame"][placed_N].tolist()
    assert set(shift_N3[:, 2].tolist()) == {3.0}


def test_a_pose_after_its_inverse_is_the_identity() -> None:
    turn_33 = _colmap.rotation(np.array([0.3, -0.4, 0.5, 0.9]))
    shift_3 = np.array([1.0, 2.0, 3.0])
    there, back = np.eye(4), np.eye(4)
    there[:3] = np.column_stack([turn_33, shift_3])
    back[:3] = np.column_stack([turn_33.T, -turn_33.T @ shift_3])
    assert np.allclose(there @ back, np.eye(4))
    assert np.linalg.det(turn_33) == pytest.approx(1)


def test_an_object_with_one_view_is_named(tmp_path: Path, keywords: dict[str, Any]) -> None:
    mvimgnet.write(tmp_path)
    noise(tmp_path / "1/lonely/images/001.png", 99)
    with pytest.raises(DataError, match=r"\('1/lonely/images/001.png'\) .* is the only picture of group '1/lonely'"):
        pool("mvimgnet", keywords)


def test_half_a_file_of_cameras_is_named(tmp_path: Path, keywords: dict[str, Any]) -> None:
    mvimgnet.write(tmp_path)
    cameras = tmp_path / "0/000" / CAMERAS
    cameras.write_bytes(cameras.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"0/000/sparse/0/images.bin' is no whole images.bin"):
        pool("mvimgnet", keywords)


# imaginet ------------------------------------------------------------------------------------------------------------


def test_contents_hold_as_many_generated_pictures_as_real_ones(tmp_path: Path, keywords: dict[str, Any]) -> None:
    imaginet.write(tmp_path)
    splits = load(layout="imaginet", resolution=8, **keywords)
    assert splits.classes == ("generated", "real")
    assert splits.slices == ("faces", "paintings", "photos", "uncategorized")
    for images in (splits.train, splits.validation, splits.test):
        assert set(images.label_N.tolist()) == {0, 1}
    assert Counter(zip(splits.test.label_N.tolist(), splits.test.fields["slice"].tolist(), strict=True)) == Counter(
        {(label, content): 2 for label in range(2) for content in range(4)}
    )
    assert splits.survey is not None
    assert "2 picture(s) are left out, so that classes are balanced" in splits.survey.remarks


def test_generators_are_the_classes_of_the_second_track(tmp_path: Path, keywords: dict[str, Any]) -> None:
    imaginet.write(tmp_path)
    (tmp_path / "annotations/test_annotations.txt").unlink()
    splits = load(layout="imaginet", class_column="level", resolution=8, **keywords)
    assert splits.classes == ("progan", "real", "stable diffusion 2.1", "stylegan-xl")


def test_a_content_without_generated_pictures_is_refused(tmp_path: Path, keywords: dict[str, Any]) -> None:
    imaginet.write(tmp_path)
    annotations = tmp_path / "annotations/train_annotations.txt"
    rest = [line for line in annotations.read_text().splitlines() if not re.search(r",1,2,\d,\d$", line)]
    annotations.write_text("\n".join(rest))
    with pytest.raises(DataError, match=r"has no picture 'generated' of slice 'faces', split 'train', but 'real' ones"):
        load(layout="imaginet", **keywords)


def test_a_line_that_is_no_annotation_is_named(tmp_path: Path, keywords: dict[str, Any]) -> None:
    imaginet.write(tmp_path)
    annotations = tmp_path / "annotations/train_annotations.txt"
    annotations.write_text("./a.png,0,9,4,8\n")
    with pytest.raises(DataError, match=r"line 1 of '.*train_annotations.txt' is './a.png,0,9,4,8'; it is to be PATH"):
        load(layout="imaginet", **keywords)


# identities, clipart -------------------------------------------------------------------------------------------------


def test_captions_of_identities_are_read_by_language(tmp_path: Path, keywords: dict[str, Any]) -> None:
    identities.write(tmp_path)
    images = pool("identities", keywords, captions=["own", "de"], caption_tokens=20)
    assert images.fields["caption"].shape == (len(images), 2, 20)
    assert images.fields["caption"].any(axis=2).sum() == 8  # of the first picture of each of four identities


def test_an_identity_with_one_picture_is_named(tmp_path: Path, keywords: dict[str, Any]) -> None:
    identities.write(tmp_path)
    (tmp_path / "person 2/1.png").unlink()
    with pytest.raises(DataError, match=r"\('person 2/0.png'\) of .* is the only picture of group 'person 2'"):
        pool("identities", keywords)


def test_people_and_unlicensed_drawings_never_appear(tmp_path: Path) -> None:
    clipart.write(tmp_path)
    table, rules = read_layout(str(tmp_path), "clipart")
    assert rules == ("licensed", "attributed")
    names = [Path(path).stem for path in table.text("path").to_pylist()]
    flags = dict(zip(names, table.lists("flags"), strict=True))
    assert {name for name, flag in flags.items() if flag == ["people"]} == {f"drawing_{n}" for n in (3, 7, 11, 15, 19)}
    assert {name for name, flag in flags.items() if flag == ["no licence"]} == {"drawing_6", "drawing_9"}
    row = names.index("drawing_4")
    assert [table.text(name)[row].as_py() for name in ("licence", "attribution")] == ["publicdomain", "Author 4"]
    assert table.captions("own")[row] == ["Drawing 4"]


# what is not there, boxes --------------------------------------------------------------------------------------------


def test_an_unknown_layout_lists_those_that_exist(keywords: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"data.layout is 'pass'; it can be table, clipart, identities, imagi"):
        load(layout="pass", **keywords)


def test_an_unknown_column_of_classes_lists_the_columns(keywords: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"data.class_column is 'kind'; it can be label, level, slice, origin, group"):
        load(layout="imaginet", class_column="kind", **keywords)


def test_boxes_follow_the_middle_square() -> None:
    box_N4 = np.array([[0.25, 0.0, 0.75, 0.5], [0.0, 0.25, 0.25, 0.75], [0.0, 0.0, 0.2, 1.0]], dtype=np.float32)
    wide = on_squares(box_N4, np.full(3, 200), np.full(3, 100), 1.0)
    assert np.allclose(wide[0], [0.0, 0.0, 1.0, 0.5])
    assert np.isnan(wide[1:]).all()  # they lie beside the square
    assert np.allclose(on_squares(box_N4[:1], np.array([50]), np.array([50]), 0.5), [[0.0, 0.0, 1.0, 0.5]])


def test_boxes_become_fields_of_upright_squares(tmp_path: Path, keywords: dict[str, Any]) -> None:
    lines = ["path,label,box"]
    for number in range(12):
        level_HWC = np.random.default_rng(number).integers(0, 256, (40, 20, 3), dtype=np.uint8)
        exif = Image.Exif()
        exif[0x0112] = 6  # a quarter turn, so that the picture is 40 wide and 20 high
        Image.fromarray(level_HWC).save(tmp_path / f"{number}.jpg", exif=exif)
        lines.append(f"{number}.jpg,{'ab'[number % 2]},{'' if number == 3 else '0.5;0;0.75;1'}")
    (tmp_path / "table.csv").write_text("\n".join(lines))
    splits = load(**{**keywords, "path": str(tmp_path / "table.csv")}, resolution=8, validation=0.3, test=0.3)
    box_N4 = np.concatenate([part.fields["box"] for part in (splits.train, splits.validation, splits.test)])
    assert np.isnan(box_N4).any(1).sum() == 1
    assert np.allclose(box_N4[~np.isnan(box_N4).any(1)], [0.5, 0.0, 1.0, 1.0])
    with pytest.raises(DataError, match="boxes are known of squares alone"):
        load(**{**keywords, "path": str(tmp_path / "table.csv")}, stored=16)


def test_sizes_of_pictures_are_read_once_and_again_when_one_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        level_HWC = np.random.default_rng(number).integers(0, 256, (20, 40, 3), dtype=np.uint8)
        Image.fromarray(level_HWC).save(tmp_path / f"{number}.png")
    lines = ["path,label,box", *(f"{number}.png,{'ab'[number % 2]},0.5;0;0.75;1" for number in range(12))]
    (tmp_path / "table.csv").write_text("\n".join(lines))

    def boxes() -> Any:
        splits = load(path=str(tmp_path / "table.csv"), cache=str(tmp_path / "cache"), resolution=8)
        return np.unique(
            np.concatenate([p.fields["box"] for p in (splits.train, splits.validation, splits.test)]), axis=0
        )

    first_14 = boxes()
    with monkeypatch.context() as patch:
        patch.setattr(_listed_pictures, "_size", lambda whole: pytest.fail(f"the header of {whole} was read again"))
        assert np.array_equal(boxes(), first_14)
    Image.fromarray(np.zeros((20, 20, 3), dtype=np.uint8)).save(tmp_path / "3.png")  # as wide as high
    assert len(first_14) == 1
    assert len(boxes()) == 2


@pytest.mark.parametrize(
    ("box", "sentence"),
    [
        ("0.1;0.2;1.5;0.4", r"row 1 \('.*'\) of '.*' has a box \(0.1, 0.2, 1.5, 0.4\) that lies outside \[0, 1\]"),
        ("0.5;0.2;0.4;0.4", r"has a box \(0.5, 0.2, 0.4, 0.4\) that has no area"),
        ("0.5;0.2;0.4", "has box '0.5; 0.2; 0.4'; it is to be 4 numbers"),
    ],
)
def test_a_box_that_cannot_be_is_named(box: str, sentence: str, tmp_path: Path) -> None:
    def boxed(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(box=[box, *["0;0;1;1"] * (len(table) - 1)])

    with pytest.raises(DataError, match=sentence):
        load(**rewritten(manifest.write(tmp_path), boxed))

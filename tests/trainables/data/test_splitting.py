"""Images of files stay in their part whatever is added beside them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainables.data.images import write_images
from trainables.data import folder
from trainables.data.kept import names_of
from trainables.data.splitting import completed, places_of
from trainables.splits import DataError, Images, Splits
from trainables.survey import Survey

CLASSES = ("cat", "dog", "owl")
PARTS = ("train", "validation", "test")


def noise(count: int, seed: int = 0, **fields: Any) -> Images:
    """Images in memory, of the classes in turn."""
    image_NCHW = np.random.default_rng(seed).integers(0, 256, (count, 1, 4, 4), dtype=np.uint8)
    return Images(image_NCHW=image_NCHW, label_N=np.arange(count) % len(CLASSES), fields=fields)


def joined(first: Images, second: Images) -> Images:
    return Images(
        image_NCHW=np.concatenate([np.asarray(first.image_NCHW), np.asarray(second.image_NCHW)]),
        label_N=np.concatenate([first.label_N, second.label_N]),
    )


def split(train: Images, seed: int = 0, **parts: Images) -> Splits:
    return completed(
        {"train": train, **parts}, CLASSES, split="hash", validation=0.2, test=0.15, seed=seed, survey=Survey()
    )


def part_of(splits: Splits) -> dict[bytes, str]:
    return {image.tobytes(): part for part in PARTS for image in np.asarray(getattr(splits, part).image_NCHW)}


def test_images_that_are_added_or_removed_move_no_other() -> None:
    before = part_of(split(noise(150)))
    after = part_of(split(joined(noise(40, seed=1), noise(150))))
    assert len(after) == 190
    assert before.items() <= after.items()
    assert part_of(split(noise(150).take(np.arange(30, 150)))).items() <= before.items()


def test_images_of_a_part_of_its_own_move_none() -> None:
    few, many = (split(noise(150), test=noise(count, seed=9)) for count in (3, 300))
    assert [few.train.label_N.tolist(), few.validation.label_N.tolist()] == [
        many.train.label_N.tolist(),
        many.validation.label_N.tolist(),
    ]


def test_shares_are_about_those_asked_for_in_every_class() -> None:
    splits = split(noise(6000))
    for part, share in (("train", 0.65), ("validation", 0.2), ("test", 0.15)):
        count_K = np.bincount(getattr(splits, part).label_N)
        assert count_K == pytest.approx(2000 * share, abs=4 * np.sqrt(2000 * share * (1 - share)))
    assert splits.survey == Survey()


def test_a_larger_share_takes_images_and_gives_none_back() -> None:
    train = noise(300)
    small, large = (
        completed({"train": train}, CLASSES, split="hash", validation=0.1, test=test, seed=0) for test in (0.2, 0.4)
    )
    images = [{image.tobytes() for image in np.asarray(one.test.image_NCHW)} for one in (small, large)]
    assert images[0] < images[1]


def test_the_seed_draws_another_split() -> None:
    assert part_of(split(noise(150), seed=1)) != part_of(split(noise(150)))


def test_places_stay_what_they_are() -> None:
    """A change of these figures moves the images of everybody: it needs a rule of another name."""
    assert places_of(noise(3), seed=0) == pytest.approx(PLACES, abs=1e-12)


PLACES = (0.14343347079205715, 0.49310118078293896, 0.35804424412639857)


@pytest.mark.parametrize("count", [9, 12, 18])
def test_every_class_is_in_every_part_of_few_images_and_it_is_said(count: int) -> None:
    for seed in range(5):
        splits = split(noise(count), seed)
        assert sum(len(getattr(splits, part)) for part in PARTS) == count
        assert all(set(getattr(splits, part).label_N.tolist()) == {0, 1, 2} for part in PARTS)
        assert splits.survey is not None
        if count == 9:
            (remark,) = splits.survey.remarks
            assert "that their hashes leave a part without one" in remark


def test_copies_of_an_image_are_in_one_part() -> None:
    splits = split(joined(noise(90), noise(90)))
    assert len(part_of(splits)) == 90
    assert sum(len(getattr(splits, part)) for part in PARTS) == 180
    parts = [{image.tobytes() for image in np.asarray(getattr(splits, part).image_NCHW)} for part in PARTS]
    assert sum(map(len, parts)) == 90


def test_groups_stay_together_and_those_of_unknown_group_go_alone() -> None:
    group_N = np.repeat(np.arange(40), 3)
    group_N[:12] = -1
    splits = split(noise(120, group=group_N))
    seen = [set(getattr(splits, part).fields["group"].tolist()) - {-1} for part in PARTS]
    assert len(set.union(*seen)) == sum(map(len, seen)) == 36
    assert {part_of(splits)[image.tobytes()] for image in np.asarray(noise(12).image_NCHW)} != {"train"}
    with pytest.raises(DataError, match="class 'cat' has images of too few groups to stand in 3 parts"):
        split(noise(30, group=np.arange(30) % 2))


def test_files_keep_their_part_by_any_name_place_and_side(tmp_path: Path) -> None:
    def parts(root: Path, **keywords: Any) -> dict[str, set[str]]:
        splits = folder.load(path=str(root), cache=str(tmp_path / "cache"), **keywords)
        return {part: {Path(name).stem for name in names_of(getattr(splits, part))} for part in PARTS}

    root = write_images(tmp_path / "d", count=20)
    for number, file in enumerate(sorted(root.rglob("*.png"))):
        file.rename(file.with_stem(f"{number:03d}"))  # a name of its own across classes
    before = parts(root, resolution=8)
    for file in root.rglob("*.png"):
        file.rename(file.with_stem(f"{file.stem}x"))
    moved = root.rename(tmp_path / "elsewhere")
    after = parts(moved, resolution=12, stored=14, grey=True)
    assert after == {part: {f"{name}x" for name in names} for part, names in before.items()}


def test_a_set_that_an_earlier_version_kept_is_read_again(tmp_path: Path) -> None:
    keywords: dict[str, Any] = {"path": str(write_images(tmp_path / "d")), "cache": str(tmp_path / "cache")}
    before = part_of(folder.load(**keywords))
    (file,) = (tmp_path / "cache").glob("*.fingerprints.npy")
    file.unlink()
    assert part_of(folder.load(**keywords)) == before
    assert file.exists()


def test_a_rule_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.split is 'hash' or 'drawn', given 'random'"):
        folder.load(path=str(write_images(tmp_path / "d")), cache=str(tmp_path / "cache"), split="random")

"""A member that takes clips: from folders of frames and files of several pictures to its classes, as in training."""

import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from search.family.folder import InputSpec, load_spec
from tests.search.products import export, member, network
from trainables.data.sources import load_source
from trainables.decoding import clips
from trainables.final import predict
from trainables.preprocessing import Preprocessing, View
from trainables.splits import DataError, Splits

FRAMES, STEP, PICTURES = 3, 2, 12
CLIPS = {"frames": FRAMES, "step": STEP}


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Splits]:
    """A folder with a folder of frames an object, some of them to be seen through, and the clips of its manifest."""
    root = tmp_path_factory.mktemp("filmed")
    rows = [["path", "label", "group", "frame", "split"]]
    for number in range(6):
        split, name = ("train", "validation", "test")[number // 2], f"object{number}"
        (root / name).mkdir()
        rng = np.random.default_rng(number)
        for frame in range(PICTURES):
            level_HWC = rng.integers(0, 256, size=(13, 9, 4)).astype(np.uint8)
            Image.fromarray(level_HWC).save(root / name / f"frame{frame}.png")
            rows.append([f"{name}/frame{frame}.png", "ab"[number % 2], name, str(frame), split])
    with (root / "frames.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return root, load_source("manifest", keywords(root))


def keywords(root: Path, **more: object) -> dict[str, object]:
    cache = root.parent / "cache"
    return {"path": str(root / "frames.csv"), "resolution": 8, "background": "#102030", "cache": str(cache)} | more | {
        "clips": CLIPS
    }  # fmt: skip


@pytest.fixture(scope="module")
def exported(filmed: tuple[Path, Splits], tmp_path_factory: pytest.TempPathFactory) -> Path:
    splits, folder = filmed[1], tmp_path_factory.mktemp("family") / "member-1"
    preprocessing = Preprocessing(
        decoding=splits.decoding, mean=splits.mean, std=splits.std, view=View(resolution=splits.resolution)
    )
    spec = InputSpec(preprocessing=preprocessing, classes=splits.classes)
    export(folder, member(), network(channels=splits.channels, classes=2), spec)
    return folder


def of_object(splits: Splits, place: int) -> NDArray[np.uint8]:
    """The test clips of an object."""
    group_N = splits.test.fields["group"]
    pixels: NDArray[np.uint8] = splits.test.image_NCHW[np.flatnonzero(group_N == np.unique(group_N)[place])]
    return pixels


@pytest.mark.parametrize("place", [0, 1])
def test_files_have_the_pixels_of_training(filmed: tuple[Path, Splits], exported: Path, place: int) -> None:
    root, splits = filmed
    decoding = load_spec(exported).preprocessing.decoding
    assert decoding == splits.decoding
    assert (decoding.frames, decoding.step, decoding.background) == (FRAMES, STEP, (16, 32, 48))
    [(_, files)] = predict._objects([root / f"object{4 + place}"])
    clip_MDHW = np.stack(list(clips(predict._pixels(files, decoding), decoding)))
    np.testing.assert_array_equal(clip_MDHW, of_object(splits, place))


@pytest.mark.parametrize("whole", [False, True])
def test_its_script_gives_the_scores_of_its_network(
    filmed: tuple[Path, Splits], exported: Path, tmp_path: Path, whole: bool
) -> None:
    """Of a folder of frames, and of the same pictures in one file."""
    root, splits = filmed
    given = root / "object4"
    if whole:
        frames = [Image.open(given / f"frame{frame}.png") for frame in range(PICTURES)]
        given = tmp_path / "object4.png"
        frames[0].save(given, save_all=True, append_images=frames[1:])
    [answer] = predict.predictions(exported, exported / "model.onnx", [given], 2)
    run = predict._graph(exported / "model.onnx", "logits")
    expected_K = np.mean([predict._shares(s) for s in run(of_object(splits, 0).astype(np.float32) / 255)], axis=0)
    said = {one["class"]: one["probability"] for one in answer["classes"]}
    assert [said["a"], said["b"]] == pytest.approx(expected_K.tolist(), abs=1e-5)
    assert answer["clips"] == len(of_object(splits, 0)) == 4


def test_what_is_no_clip_is_one_sentence(filmed: tuple[Path, Splits], exported: Path) -> None:
    [answer] = predict.predictions(exported, exported / "model.onnx", [filmed[0] / "object4/frame1.png"], 2)
    assert answer["error"].startswith("it has fewer than 5 pictures, and a clip has 3, 2 apart; name a folder of")


def test_its_card_says_how_clips_are_made(exported: Path) -> None:
    card = (exported / "README.md").read_text()
    for said in (
        "A classifier of clips of 3 frames for 2 classes",
        "`python predict.py FOLDER_OR_FILE`",
        "3 frames 2 apart, no frame in two",
        "3 pictures, each 2 after the one before, are a clip: their channels come one picture's after another's, 3",
        "shape (N, 9, 8, 8)",
    ):
        assert said in card


def test_single_pictures_beside_clips_are_refused(filmed: tuple[Path, Splits]) -> None:
    root, _ = filmed
    with pytest.raises(DataError, match="a folder of single pictures, and the data's images are clips of 3 frames"):
        load_source("manifest", keywords(root, unlabelled=str(root / "object0")))

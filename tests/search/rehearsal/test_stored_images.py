"""Whether images fit into memory is said before anything is trained; the arrays here are views that hold one byte."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from search.rehearsal import stored_images
from search.rehearsal.stored_images import ImageBytes, memory_of_machine, of_images
from search.setting.config import parse
from search.setting.setting import Setting, prepare
from spaces.mistake import Mistake
from tests.trainables.data.images import write_images
from trainables.data import folder
from trainables.data.sources import load_source
from trainables.splits import Images

HAS = 1_000_000_000


def setting_of(megabytes: int, run: str) -> Setting:
    """Of a search whose training images take so much."""
    setting = prepare(parse(f"name: a\nspace: {{name: tiny}}\nrun: {run}"))
    image_NCHW = np.broadcast_to(np.uint8(0), (megabytes, 1, 1000, 1000))
    train = Images(image_NCHW=image_NCHW, label_N=np.zeros(megabytes, dtype=np.int64))
    return replace(setting, splits=replace(setting.splits, train=train))


@pytest.fixture(autouse=True)
def _a_small_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_images, "memory_of_machine", lambda: HAS)
    monkeypatch.setattr("os.cpu_count", lambda: 4)


@pytest.mark.parametrize(
    ("megabytes", "run", "words"),
    [
        (100, "{executor: serial}", "memory: 100M bytes of images in one process, of 1G"),
        (90, "{executor: ray_tune}", "memory: 90.1M bytes of images in each of 5 processes, of 1G"),
        (190, "{executor: ray_tune}", "warning: 190M bytes of images in each of 5 processes leave little"),
        (190, "{executor: ray_tune, concurrent: 1}", "memory: 190M bytes of images in each of 2 processes"),
    ],
)
def test_images_that_fit(megabytes: int, run: str, words: str) -> None:
    (sentence,) = of_images(setting_of(megabytes, run))
    assert sentence.startswith(words)


@pytest.mark.parametrize(
    ("megabytes", "run", "words"),
    [
        (
            260,
            "{executor: ray_tune}",
            "260M bytes of images in each of 5 processes are more than this",
        ),
        (100, "{executor: ray_tune, memory: 50M}", "run.memory is 50M bytes, less than the 100M bytes of images"),
    ],
)
def test_images_that_do_not_fit(megabytes: int, run: str, words: str) -> None:
    with pytest.raises(Mistake, match=words):
        list(of_images(setting_of(megabytes, run)))


def test_images_on_disk_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keywords = {"path": str(write_images(tmp_path / "d")), "resolution": 8, "cache": str(tmp_path / "cache")}
    assert ImageBytes.of(folder.load(**keywords)) == ImageBytes(held=0, mapped=20 * 3 * 8 * 8)
    few = load_source("folder", {**keywords, "labels": 0.5, "unlabelled": str(tmp_path / "d")})
    assert ImageBytes.of(few) == ImageBytes(held=0, mapped=20 * 3 * 8 * 8)
    setting = replace(setting_of(1, "{executor: serial}"), splits=few)
    assert list(of_images(setting)) == ["memory: 3.84k bytes of images on disk, read by all processes, of 1G"]
    monkeypatch.setattr(stored_images, "memory_of_machine", lambda: 1000)
    (sentence,) = of_images(setting)
    assert sentence.startswith("warning: 3.84k bytes of images on disk do not fit into")


def test_a_container_has_what_it_may_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "limit").write_text("12345\n")
    (tmp_path / "none").write_text("max\n")
    monkeypatch.setattr(stored_images, "CGROUP", (tmp_path / "none", tmp_path / "limit", tmp_path / "absent"))
    assert memory_of_machine() == 12345

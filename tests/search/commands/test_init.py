"""A configuration that fits the images and the machine, written by ``init`` and accepted by ``check``."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search.__main__ import main
from search.commands import _init
from search.commands._init import Choice, Speed, budgets, fit, source_of
from search.setting.config import read
from spaces.mistake import Mistake

TINY = Choice(name="tiny", why="small", restrict={"architecture.resolution": [8, 12, 16]}, weights={})


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Two classes of grey pictures, 20 of each."""
    rng = np.random.default_rng(0)
    for label in ("a cat", "dog"):
        for number in range(20):
            file = tmp_path / "my photos" / label / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (19, 23), dtype=np.uint8)).save(file)
    return tmp_path / "my photos"


def test_a_folder_becomes_a_configuration_that_check_accepts(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_init, "measure", lambda splits, choice: (Speed(fixed=0.01, each=1e-8), 3e3))
    assert main(["init", str(photographs), "--minutes", "5"]) == 0
    shown = capsys.readouterr().out
    assert "2 classes, 24 images to train" in shown
    config = read(tmp_path / "my-photos.yaml")
    assert config.data.keywords["path"] == str(photographs)
    assert config.data.keywords["grey"] is True
    assert config.data.keywords["resolution"] == 16  # the largest of the space that is no larger than the files
    assert config.space.restrict == {"architecture.resolution": [8, 12, 16]}
    assert main(["check", "my-photos.yaml"]) == 0
    assert "no mistakes found" in capsys.readouterr().out
    before = (tmp_path / "my-photos.yaml").read_text()
    assert main(["init", str(photographs)]) == 2
    assert "exists; name another file with --to" in capsys.readouterr().err
    assert (tmp_path / "my-photos.yaml").read_text() == before


def test_what_is_no_data_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    for path, words in (("nowhere", "is no folder"), ("empty", "class folder")):
        assert main(["init", str(tmp_path / path), "--to", str(tmp_path / "x.yaml")]) == 2
        assert words in capsys.readouterr().err
    assert main(["init", str(tmp_path), "--minutes", "-1"]) == 2
    assert not (tmp_path / "x.yaml").exists()


def test_every_kind_of_data_has_its_source(tmp_path: Path) -> None:
    for name in ("train-0.tar", "train-1.tar", "val-0.tar"):
        (tmp_path / "shards").mkdir(exist_ok=True)
        (tmp_path / "shards" / name).touch()
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "dataset_dict.json").touch()
    (tmp_path / "plain").mkdir()
    shards = {"path": f"{tmp_path}/shards/train*.tar", "validation_path": f"{tmp_path}/shards/val*.tar"}
    assert source_of(str(tmp_path / "shards")) == ("webdataset", shards)
    assert source_of(str(tmp_path / "hub"))[0] == "huggingface"
    assert source_of(str(tmp_path / "plain"))[0] == "folder"
    assert source_of("s3://bucket/{0..9}.tar") == ("webdataset", {"path": "s3://bucket/{0..9}.tar"})
    with pytest.raises(Mistake, match="is no folder"):
        source_of(str(tmp_path / "missing"))


def test_budgets_are_round_and_end_at_the_limit() -> None:
    assert budgets(3e3, 1e6) == [6e3, 2e4, 8e4, 3e5, 1e6]
    narrow = budgets(3.5e7, 5e7)
    assert narrow[0] >= 3.5e7
    assert narrow[-1] == 5e7


def test_a_slower_machine_gets_a_smaller_search_and_none_takes_longer_than_was_asked_for() -> None:
    fast, slow = Speed(fixed=0.1, each=1e-7), Speed(fixed=1.0, each=1e-5)
    large, seconds = fit(TINY, fast, 3e3, 3600, 2, 5e6)
    small, longer = fit(TINY, slow, 3e3, 3600, 2, 5e6)
    assert max(seconds, longer) <= 3600
    assert (large.search.trials, large.budgets[-1]) > (small.search.trials, small.budgets[-1])
    _, least = fit(TINY, Speed(fixed=100.0, each=1e-3), 3e3, 60, 1, 5e6)
    assert least > 60  # said as it is: the smallest search takes longer

"""The shipped configurations, as far as they can be checked without their data."""

from pathlib import Path

import pytest

from search.__main__ import main
from search.setting.checks.readers import check_readers
from search.setting.config import read
from search.setting.setting import prepare
from search.setting.weights import check_weights
from spaces.components import SPACES, load
from tests.places import ROOT
from tests.trainables.data.images import write_images

FILES = sorted((ROOT / "configs").glob("*.yaml"))
ON_PACKAGES = [file for file in FILES if read(file).data.source in ("digits", "moving")]
"""Whose data any machine has."""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_configuration_is_read_and_its_space_has_what_it_names(file: Path) -> None:
    config = read(file)
    space = load(SPACES, config.space.name).space().restrict(config.space.restrict)
    check_readers(space)
    check_weights(space, config.sources)


@pytest.mark.parametrize("file", ON_PACKAGES, ids=lambda file: file.stem)
def test_data_space_limits_and_budgets_go_together(file: Path) -> None:
    prepare(read(file))


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["imagenet", "imagenet_pretraining"])
def test_a_search_at_full_size_is_accepted(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On a made folder of the same layout: budgets, limits, references and objectives fit the space."""
    for part in ("train", "val"):
        write_images(tmp_path / "images" / part)
    text = (ROOT / "configs" / f"{name}.yaml").read_text()
    assert "/data/imagenet" in text
    text = text.replace("path: /data/imagenet", f"path: {tmp_path / 'images'}").replace("ray_tune", "serial")
    file = tmp_path / "config.yaml"
    file.write_text(f"{text}runs: {tmp_path / 'runs'}\ntracking: {{enabled: false}}\n")
    assert main(["check", str(file)]) == 0, capsys.readouterr().err
    assert "no mistakes found" in capsys.readouterr().out

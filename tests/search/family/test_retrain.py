"""A member's folder says nothing of the machine that its images were on."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from search.errors import UsageError
from search.family.retrain import read_training, trained_on, write_training
from search.files import read_json, whole_folder, write_text
from search.setting.config import parse
from search.setting.setting import Setting, prepare
from spaces.candidate import Candidate
from spaces.sampling import uniform
from tests.trainables.data.images import write_images
from trainables.final.jobs import FinalJob

TEXT = """
name: alone
data: {{source: folder, path: '{path}', cache: '{cache}', resolution: 8, validation: 0.3, test: 0.2}}
space:
  name: tiny
  restrict: {{architecture.resolution: [8], architecture.depth.0: [1], architecture.depth.1: [1]}}
family: {{max_macs: [60k]}}
tracking: {{enabled: false}}
"""


def exported(tmp_path: Path) -> tuple[Setting, Candidate]:
    """What a member's folder ``member`` was written from."""
    images = write_images(tmp_path / "images")
    setting = prepare(parse(TEXT.format(path=images, cache=tmp_path / "cache")))
    candidate = setting.space.decode(uniform(setting.space, 1, np.random.default_rng(0)))[0]
    with whole_folder(tmp_path / "member") as folder:
        write_training(setting, FinalJob(name="one", candidate=candidate, epochs=2, seed=0), folder)
        write_text(folder / "candidate.json", candidate.to_json())
    return setting, candidate


def test_a_member_is_told_where_its_images_are(tmp_path: Path) -> None:
    setting, candidate = exported(tmp_path)
    member, images = tmp_path / "member", {"path": str(tmp_path / "images")}
    assert str(tmp_path) not in (member / "training.json").read_text()
    with pytest.raises(UsageError, match=r"does not say where the images are .* give --images path=PATH"):
        read_training(member, tmp_path / "to", {})
    config, again = read_training(member, tmp_path / "to", images)
    assert again == candidate
    assert config.data.keywords == {
        **{key: value for key, value in setting.config.data.resolved.keywords.items() if key != "cache"},
        **images,
    }


def test_a_member_from_before_there_was_a_choice_keeps_its_split(tmp_path: Path) -> None:
    exported(tmp_path)
    member = tmp_path / "member"
    document = read_json(member / "training.json")
    assert document["config"]["data"].pop("split") == "hash"
    with whole_folder(tmp_path / "older") as folder:
        write_text(folder / "training.json", json.dumps(document))
        shutil.copy(member / "candidate.json", folder)
    config, _ = read_training(tmp_path / "older", tmp_path / "to", {"path": str(tmp_path / "images")})
    assert config.data.keywords["split"] == "drawn"
    before = trained_on(tmp_path / "older")
    assert before is not None
    assert before.keywords["split"] == "drawn"

"""A member's folder says nothing of the machine that its images were on."""

from pathlib import Path

import numpy as np
import pytest

from search.errors import UsageError
from search.family.retrain import read_training, write_training
from search.files import whole_folder, write_text
from search.setting.config import parse
from search.setting.setting import prepare
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


def test_a_member_is_told_where_its_images_are(tmp_path: Path) -> None:
    images, member = write_images(tmp_path / "images"), tmp_path / "member"
    setting = prepare(parse(TEXT.format(path=images, cache=tmp_path / "cache")))
    candidate = setting.space.decode(uniform(setting.space, 1, np.random.default_rng(0)))[0]
    with whole_folder(member) as folder:
        write_training(setting, FinalJob(name="one", candidate=candidate, epochs=2, seed=0), folder)
        write_text(folder / "candidate.json", candidate.to_json())
    assert str(tmp_path) not in (member / "training.json").read_text()
    with pytest.raises(UsageError, match=r"does not say where the images are .* give --images path=PATH"):
        read_training(member, tmp_path / "to", {})
    config, again = read_training(member, tmp_path / "to", {"path": str(images)})
    assert again == candidate
    assert config.data.keywords == {
        **{key: value for key, value in setting.config.data.keywords.items() if key != "cache"},
        "path": str(images),
    }

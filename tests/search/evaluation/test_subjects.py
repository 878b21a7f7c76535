"""A member is evaluated on the images that it was not trained on, also where the user names them."""

from pathlib import Path

import pytest

from search.errors import UsageError
from search.evaluation.subjects import _loaded
from search.setting.sections.data import DataSection
from tests.trainables.data.images import write_images
from trainables.data.sources import load_source


def test_data_that_is_named_is_split_as_when_the_member_was_trained(tmp_path: Path) -> None:
    keywords = {"path": str(write_images(tmp_path / "d", count=20)), "cache": str(tmp_path / "cache")}
    data = str({"source": "folder", **keywords})
    drawn, hashed = (load_source("folder", {**keywords, "split": split}) for split in ("drawn", "hash"))
    assert len(drawn.test) != len(hashed.test)
    assert len(_loaded(data).test) == len(hashed.test)
    assert len(_loaded(data, DataSection(source="folder").stored).test) == len(drawn.test)
    assert len(_loaded(data, DataSection(source="folder", split="hash").stored).test) == len(hashed.test)
    assert len(_loaded(data, DataSection(source="digits").stored).test) == len(hashed.test)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("nope", "is no data: it can be canvas, "),
        ("{1: 2}", "is no data: "),
        ("2024-99-99", "is no data: "),
        ("[" * 5000, "is no data: "),
        ("{", "is no data: "),
        ("", "is no data: "),
    ],
)
def test_data_that_are_none_are_a_sentence(data: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        _loaded(data)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 400

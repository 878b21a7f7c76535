"""What every layout on disk must do, on its miniature in ``tests/miniatures/layouts``; new files need no edit here."""

import importlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from spaces import components
from tests.conformance.contracts import lacking
from trainables.data import digits
from trainables.data._layouts import read_layout
from trainables.data._rules import RULES, permitted
from trainables.data.layouts import Layout
from trainables.data.manifest import unlabelled
from trainables.splits import DataError

NAMES = components.names(components.LAYOUTS)


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def root(name: str, tmp_path: Path) -> Path:
    """A small copy of what the layout reads."""
    folder = tmp_path / "laid out"
    folder.mkdir()
    importlib.import_module(f"tests.miniatures.layouts.{name}").write(folder)
    return folder


def test_a_layout_states_all_of_its_contract(name: str) -> None:
    module = components.load(components.LAYOUTS, name)
    assert not lacking(module, Layout)
    assert set(module.RULES) <= set(RULES)


def test_rows_are_pictures_that_are_there_each_once(name: str, root: Path) -> None:
    rows = list(components.load(components.LAYOUTS, name).rows(root))
    assert rows
    assert all((root / row.path).is_file() for row in rows)
    assert max(Counter(row.path for row in rows).values()) == 1
    for row in rows:
        assert len(row.pose) in (0, 12)
        assert len(row.box) in (0, 4)


def test_a_pool_of_it_has_pictures_without_labels(name: str, root: Path, tmp_path: Path) -> None:
    table, rules = read_layout(str(root), name)
    allowed, _ = permitted(table, None, False, rules)
    images = unlabelled(digits.load(), path=str(root), layout=name, cache=str(tmp_path / "cache"))
    assert len(images) == len(allowed)
    assert not images.label_N.any()
    assert len(np.unique(images.image_NCHW[:].reshape(len(images), -1), axis=0)) == len(images)


def test_an_empty_folder_is_one_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_layout(str(tmp_path), name)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)

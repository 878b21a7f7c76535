"""Named pools: what they hold, how they are refused, and that a candidate is pretrained on one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.setting.checks.readers import check_readers
from search.setting.config import ConfigError
from spaces import pretraining
from tests.trainables.data.images import write_images
from tests.trainables.small import few_labels, pretrained, without_time
from trainables.data._pools import pools_of
from trainables.data.sources import load_source
from trainables.splits import DataError, Splits
from trainables.stages.phases import phases_of
from trainables.stages.pretraining import keys_of, pretrainings_of
from trainables.training.trial import Task, trial


def never(source: str, keywords: Any) -> Splits:
    raise AssertionError(source)


def pooled() -> Splits:
    splits = few_labels()
    return replace(splits, pools={"others": splits.validation})


def test_a_pool_is_a_folder_or_the_training_images_of_a_source(tmp_path: Path) -> None:
    write_images(tmp_path / "many", classes=2, count=3)
    folder = {"path": str(tmp_path / "many"), "cache": str(tmp_path / "cache")}
    pools = load_source("digits", {"pools": {"photos": folder, "more": {"source": "digits", "labels": 0.5}}}).pools
    assert {name: len(pool) for name, pool in pools.items()} == {"photos": 6, "more": 449}
    assert not pools["more"].label_N.any()  # type: ignore[attr-defined]


def test_labels_of_a_pool_are_left_out_whatever_they_are_called() -> None:
    tagged = few_labels()
    count = len(tagged.train)
    fields = {
        "level": np.arange(count) % 3,
        "labels": np.ones((count, 2), dtype=bool),
        "segments": np.zeros((count, 2, 2), dtype=np.int64),
        "group": np.arange(count),
    }
    tagged = replace(tagged, train=replace(tagged.train, fields=fields))
    pool = pools_of({"more": {"source": "digits"}}, few_labels(), lambda source, keywords: tagged)["more"]
    assert set(pool.fields) == {"group"}
    assert not pool.label_N.any()


@pytest.mark.parametrize(
    ("pools", "words"),
    [
        (["photos"], r"data\.pools is .*; it must be names"),
        ({"own": {"path": "x"}}, r"data\.pools\.own: the name of a pool is a word, and none of own, "),
        ({"photos": {}}, r"data\.pools\.photos has no keyword; a folder has path"),
        ({"photos": {"path": "x", "layout": "y"}}, r"data\.pools\.photos has layout, path; a folder has path"),
        ({"photos": {"source": "slides"}}, r"data\.pools\.photos\.source is 'slides'; it can be unlabelled_folder, "),
        ({"photos": {"path": "nowhere"}}, r"'nowhere' is not a folder"),
        ({"photos": {"source": "digits", "pools": {}}}, r"data\.pools\.photos has pools, which is one of section data"),
    ],
)
def test_what_is_no_pool_is_one_sentence(pools: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        pools_of(pools, few_labels(), never)


def test_images_unlike_the_datas_are_refused() -> None:
    larger = few_labels()
    image = np.zeros((4, 1, 9, 9), dtype=np.uint8)
    other = replace(larger, train=replace(larger.train, image_NCHW=image, label_N=np.zeros(4, dtype=np.int64)))
    with pytest.raises(DataError, match="has images of 9 x 9 pixels in 1 channels, the data of 8 x 8 in 1"):
        pools_of({"photos": {"source": "digits"}}, few_labels(), lambda source, keywords: other)


def test_a_candidate_is_pretrained_on_a_pool() -> None:
    splits, task = pooled(), Task(candidate=pretrained("simclr", source="others"), epochs=2, seed=0)
    phase, _ = phases_of(task, splits, pretrainings_of(task.candidate, 2), [0])
    assert phase.images is splits.pools["others"]
    own = Task(candidate=pretrained("simclr"), epochs=2, seed=0)
    losses = [without_time(list(trial(one, splits)))[0] for one in (task, own)]
    assert losses[0] != losses[1]


def test_a_pool_is_in_the_name_of_what_it_pretrains() -> None:
    candidate, splits = pretrained("simclr", source="others"), pooled()
    stages = pretrainings_of(candidate, 2)
    other = replace(splits, pools={"others": splits.test})
    assert keys_of(candidate, stages, splits) != keys_of(candidate, stages, other)
    plain = pretrained("simclr")
    own = pretrainings_of(plain, 2)
    assert keys_of(plain, own, splits) == keys_of(plain, own, few_labels())


def test_objectives_with_labels_are_not_trained_on_a_pool() -> None:
    with pytest.raises(ValueError, match="which pictures of source 'others' do not have"):
        pretrainings_of(pretrained("supervised", source="others"), 2)


def test_a_space_offers_a_pool_that_the_data_have() -> None:
    space = pretraining.space().extend({"pretraining.mobile.source": ["others"]})
    check_readers(space, ["others"])
    with pytest.raises(ConfigError, match=r"'pretraining\.mobile\.source' has the value 'others', which is not in"):
        check_readers(space)

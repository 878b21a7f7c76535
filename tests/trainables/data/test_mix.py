"""Mixes: exact shares of own images, pools and fractals in every epoch."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from search.setting.checks.data import check_mixes
from search.setting.config import ConfigError
from spaces import mixed
from tests.trainables.small import few_labels, pretrained
from trainables.batches.fields import fields_of
from trainables.batches.order import Grouped, OrderError, order_of
from trainables.data.mix import Mix, pictures
from trainables.plan import Plan
from trainables.splits import DataError, Joined, Splits
from trainables.stages.pretraining import keys_of, pretrainings_of
from trainables.training.trial import Task, trial


def pooled() -> Splits:
    splits = few_labels()
    others = {"one": splits.validation.take(np.arange(9)), "two": splits.validation.take(np.arange(9, 20))}
    return replace(splits, pools=others)


def drawn(mix: Mix, wanted: int, seed: int) -> Counter[str]:
    rows = mix.order.rows(mix, wanted, 8, np.random.default_rng(seed))
    return Counter(list(mix.parts)[part] for part in mix.fields["origin"][rows].tolist())


@pytest.mark.parametrize("seed", [0, 1])
def test_shares_are_exact_in_every_epoch(seed: int) -> None:
    mix = pictures(pooled(), fractals=0.25, pools=0.5)
    assert drawn(mix, 80, seed) == {"own": 20, "fractals": 20, "one": 20, "two": 20}
    assert sum(drawn(mix, 77, seed).values()) == 77


def test_shares_above_one_leave_no_own_image() -> None:
    assert dict(pictures(pooled(), fractals=0.75, pools=0.75).share) == {"fractals": 0.5, "one": 0.25, "two": 0.25}


def test_own_images_alone_are_the_own_images() -> None:
    splits = few_labels()
    mix, rows = pictures(splits), np.array([3, 1, 2])
    assert mix.batch(rows)[0].equal(splits.unlabelled.batch(rows)[0])
    assert sorted(mix.order.rows(mix, len(mix), 8, np.random.default_rng(0)).tolist()) == list(range(len(mix)))


def test_fields_of_all_parts_are_kept() -> None:
    splits = pooled()
    tagged = {name: replace(pool, fields={"group": np.arange(len(pool))}) for name, pool in splits.pools.items()}
    mix = pictures(replace(splits, pools=tagged), pools=1.0)
    assert mix.fields["group"].tolist() == [*range(9), *range(11)]
    assert mix.fields["origin"].tolist() == [0] * 9 + [1] * 11
    assert set(pictures(splits, fractals=0.5).fields) == {"origin"}
    assert set(fields_of(Joined((mix,)))) >= {"origin"}


def test_a_candidate_is_pretrained_on_a_mix_and_its_key_knows_it() -> None:
    splits = pooled()
    candidate = pretrained("simclr")
    keys = set()
    for knobs in ({}, {"mix.fractals": 0.5}, {"mix.pools": 0.5}):
        own = replace(candidate, pretraining={**candidate.pretraining, "source": "mix", **knobs})
        stages = pretrainings_of(own, 2)
        keys |= {*keys_of(own, stages, splits)}
        if "mix.pools" in knobs:
            keys |= {*keys_of(own, stages, replace(splits, pools={"one": splits.pools["one"]}))}
    assert len(keys) == 4
    task = Task(candidate=own, epochs=2, seed=0)
    assert len(list(trial(task, splits))) == 2


def test_two_orders_are_refused() -> None:
    plan = Plan(epochs=1, images=8, classes=2)
    with pytest.raises(OrderError, match=r"pretraining.source draws Weighted.* and the objective or recipe Grouped"):
        order_of(replace(plan, network=nn.Identity(), order=Grouped(2)), pictures(few_labels()))


@pytest.mark.parametrize(("fractals", "pools"), [(-0.1, 0.0), (0.0, 0.5)])
def test_shares_that_cannot_be_are_refused(fractals: float, pools: float) -> None:
    with pytest.raises(DataError, match=r"shares of a mix are at least 0|there are none; name some"):
        pictures(few_labels(), fractals=fractals, pools=pools)


def test_a_share_of_pools_without_pools_is_found_before_training() -> None:
    space = mixed.space()
    check_mixes(space, few_labels())
    extended = space.extend({"pretraining.mix.pools": [0.5]})
    check_mixes(extended, pooled())
    with pytest.raises(ConfigError, match=r"offers 'pretraining.mix.pools' above 0, and there are no data.pools"):
        check_mixes(extended, few_labels())

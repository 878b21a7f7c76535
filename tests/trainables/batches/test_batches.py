"""Fields of images, orders of images, and the groups that reach an objective."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from search.setting.checks.data import check_fields
from spaces import components, pretraining
from spaces.dimensions import Choice
from tests.trainables.data.images import write_images
from tests.trainables.small import few_labels, network, pretrained, without_time
from trainables.batches.fields import VOCABULARY, FieldError, fields_of, needs_of
from trainables.batches.order import Grouped, OrderError, Pure, RareFirst, Shuffled, Weighted, order_of
from trainables.data import unlabelled_folder
from trainables.objectives import dino
from trainables.plan import Batch, Plan
from trainables.recipe import mixup, sampling
from trainables.splits import Images, Joined, Splits
from trainables.stages.pretraining import keys_of, pretrainings_of
from trainables.training.need import _Few
from trainables.training.trial import Task, trial

OBJECTIVES = components.names(components.OBJECTIVES)


def images(groups: list[int]) -> Images:
    count = len(groups)
    pixels = np.random.default_rng(0).integers(0, 256, (count, 1, 8, 8), dtype=np.uint8)
    return Images(image_NCHW=pixels, label_N=np.zeros(count, dtype=np.int64), fields={"group": np.array(groups)})


@pytest.mark.parametrize("name", OBJECTIVES)
def test_what_an_objective_needs_is_in_the_vocabulary(name: str) -> None:
    needs = components.load(components.OBJECTIVES, name).NEEDS
    assert {field for _, field in needs} <= set(VOCABULARY)
    assert needs_of(name, {}) == tuple(field for knob, field in needs if not knob)


def test_a_knob_asks_for_a_field() -> None:
    assert needs_of("dino", {"instances_per_group": 1}) == ()
    assert needs_of("dino", {"instances_per_group": 2}) == ("group",)
    assert needs_of("simclr+dino", {"dino": {"instances_per_group": 2}}) == ("group",)


def test_fields_follow_their_images() -> None:
    whole = images([5, 6, 7, 8])
    assert whole.take(np.array([2, 0])).fields["group"].tolist() == [7, 5]
    assert fields_of(_Few(pictures=whole, count=2))["group"].tolist() == [5, 6]
    unknown = replace(whole, fields={})
    assert fields_of(Joined((unknown, whole)))["group"].tolist() == [-1, -1, -1, -1, 5, 6, 7, 8]
    assert fields_of(unknown) == {}


def test_joined_images_without_a_caption_have_none() -> None:
    """Rows are as large as the largest, and a part that has no captions leaves the others theirs."""
    blank = np.zeros((2, 1, 2, 2), dtype=np.uint8)
    label_N = np.zeros(2, dtype=np.int64)

    def captioned(count: int, length: int) -> Images:
        caption_NTL = np.full((2, count, length), 7, dtype=np.uint16)
        return Images(image_NCHW=blank, label_N=label_N, fields={"caption": caption_NTL})

    bare = Images(image_NCHW=blank, label_N=label_N)
    caption_NTL = fields_of(Joined((bare, captioned(2, 3), captioned(1, 4))))["caption"]
    assert caption_NTL.shape == (6, 2, 4)
    assert caption_NTL.dtype == np.uint16
    assert (caption_NTL == 7).sum(axis=(1, 2)).tolist() == [0, 0, 6, 6, 4, 4]
    assert "caption" not in fields_of(Joined((bare, bare)))


def test_shuffled_rows_are_permutations_one_after_the_other() -> None:
    """As they were drawn before there were other orders."""
    rows = Shuffled().rows(images([0] * 7), 17, 4, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    expected = np.concatenate([rng.permutation(7) for _ in range(3)])[:17]
    assert np.array_equal(rows, expected)


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(0, 7), min_size=1, max_size=6), per=st.integers(1, 4), seed=st.integers(0, 99))
def test_groups_are_whole_different_and_seen_equally(sizes: list[int], per: int, seed: int) -> None:
    groups = [group for group, size in enumerate(sizes) for _ in range(size)] + [-1, -1]
    wanted = 5 * per + 1
    large = sum(size >= per for size in sizes)
    order = Grouped(per)
    if not large:
        with pytest.raises(OrderError, match=f"no group has {per} images"):
            order.rows(images(groups), wanted, 2 * per, np.random.default_rng(seed))
        return
    rows = order.rows(images(groups), wanted, 2 * per, np.random.default_rng(seed)).reshape(-1, per)
    assert len(rows) == wanted // per
    seen = Counter()
    for row in rows:
        assert len(set(row)) == per
        (group,) = {groups[image] for image in row}
        assert group >= 0
        seen[group] += 1
    assert max(seen.values()) - (min(seen.values()) if len(seen) == large else 0) <= 1


def test_a_batch_of_broken_groups_is_refused() -> None:
    with pytest.raises(OrderError, match=r"a batch of 6 images is not filled by groups of 4; change batch\.size"):
        Grouped(4).rows(images([0] * 8), 8, 6, np.random.default_rng(0))


VALUES = st.lists(st.integers(-1, 4), min_size=1, max_size=40)


@settings(max_examples=30, deadline=None)
@given(groups=VALUES, size=st.integers(1, 5), steps=st.integers(1, 6), seed=st.integers(0, 99))
def test_pure_batches_have_one_value_and_repeat_none_within_a_round(
    groups: list[int], size: int, steps: int, seed: int
) -> None:
    fills = sum(groups.count(group) // size for group in set(groups) - {-1})
    order = Pure("group")
    rng = np.random.default_rng(seed)
    if not fills:
        with pytest.raises(OrderError, match=f"no group has the {size} images of a batch"):
            order.rows(images(groups), steps * size, size, rng)
        return
    rows = order.rows(images(groups), steps * size, size, rng).reshape(-1, size)
    assert len(rows) == steps
    assert all(len({groups[row] for row in step}) == 1 and groups[step[0]] >= 0 for step in rows)
    first = rows[:fills].ravel()
    assert len(set(first)) == len(first)
    assert np.array_equal(rows.ravel(), order.rows(images(groups), steps * size, size, np.random.default_rng(seed)))


@settings(max_examples=30, deadline=None)
@given(
    groups=VALUES, shares=st.lists(st.sampled_from([0.0, 0.1, 0.5, 2.0]), min_size=5, max_size=5),
    wanted=st.integers(1, 50), seed=st.integers(0, 99),
)  # fmt: skip
def test_shares_are_exact(groups: list[int], shares: list[float], wanted: int, seed: int) -> None:
    present = {value: shares[value] for value in set(groups) - {-1}}
    order, rng = Weighted(present, "group"), np.random.default_rng(seed)
    if not sum(present.values()):
        with pytest.raises(OrderError, match="shares of group are at least 0, and one is above it"):
            order.rows(images(groups), wanted, 4, rng)
        return
    rows = order.rows(images(groups), wanted, 4, rng)
    assert len(rows) == wanted
    for value, share in present.items():
        drawn = [row for row in rows.tolist() if groups[row] == value]
        assert abs(len(drawn) - wanted * share / sum(present.values())) < 1
        seen = Counter(drawn)
        assert not seen or max(seen.values()) <= -(-len(drawn) // groups.count(value))


def test_a_share_of_what_nobody_has_is_refused() -> None:
    with pytest.raises(OrderError, match=r"no image has group 7, which is to have a share of 0\.5"):
        Weighted({0: 0.5, 7: 0.5}, "group").rows(images([0, 0]), 4, 2, np.random.default_rng(0))


def test_rare_classes_come_as_often_as_the_formula_says() -> None:
    label_N = np.repeat(np.arange(3), (80, 15, 5))
    pictures = replace(images([0] * 100), label_N=label_N)
    rows = RareFirst(0.5).rows(pictures, 6000, 8, np.random.default_rng(0))
    weight_K = np.exp((1 - np.array([0.80, 0.15, 0.05])) / 0.5)
    expected_K = weight_K / weight_K.sum()
    assert np.bincount(label_N[rows]) / 6000 == pytest.approx(expected_K, abs=0.02)
    seen = np.bincount(rows, minlength=100)
    assert seen[:80].max() - seen[:80].min() <= 1
    with pytest.raises(OrderError, match="images without labels have no rare classes"):
        RareFirst(0.5).rows(Joined((pictures, pictures)), 10, 2, np.random.default_rng(0))


def test_a_recipe_and_an_objective_do_not_both_order_images() -> None:
    objective = dino.objective(network("dino"), instances_per_group=2)
    plan = Plan(epochs=1, images=8, classes=10, network=objective.network, objective=objective)
    assert order_of(plan) == Grouped(2)
    assert order_of(replace(plan, objective=None)) == Shuffled()
    with pytest.raises(OrderError, match=r"draws Grouped\(per=2, .*\) and the recipe RareFirst\(temperature=0\.1\)"):
        order_of(sampling.apply(plan, rare=0.1))


def test_images_of_a_folder_have_it_as_their_group(tmp_path: Path) -> None:
    write_images(tmp_path / "many", classes=2, count=3)
    pictures = unlabelled_folder.pictures(few_labels(), path=str(tmp_path / "many"), cache=str(tmp_path / "cache"))
    assert sorted(fields_of(pictures)["group"].tolist()) == [0, 0, 0, 1, 1, 1]
    assert not pictures.label_N.any()


def grouped() -> Splits:
    """Images of which 12 always show the same thing."""
    splits = few_labels()
    pool = splits.unlabelled
    assert isinstance(pool, Images)
    return replace(splits, pool=replace(pool, fields={"group": np.arange(len(pool)) // 12}))


KNOBS = {"dino.instances_per_group": 4}


def test_groups_of_a_batch_reach_the_objective_and_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole groups in every batch; two of them teach each other at first, four in the second half."""
    seen: list[tuple[Any, int]] = []
    plain = dino._Dino.forward

    def noting(self: Any, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        seen.append((batch.fields["group"].reshape(-1, 4), self._together(batch.progress)))
        return plain(self, batch, generator)

    monkeypatch.setattr(dino._Dino, "forward", noting)
    list(trial(Task(candidate=pretrained("dino", **KNOBS), epochs=4, seed=0), grouped()))
    assert all((group == group[:, :1]).all() for group, _ in seen)
    together = [count for _, count in seen]
    assert together == sorted(together)
    assert set(together) == {2, 4}


def test_two_trainings_with_groups_are_the_same() -> None:
    task = Task(candidate=pretrained("dino", **KNOBS), epochs=2, seed=0)
    assert without_time(list(trial(task, grouped()))) == without_time(list(trial(task, grouped())))


def test_images_without_groups_are_refused_in_a_sentence() -> None:
    with pytest.raises(FieldError, match=r"reads the field group \(which object.*data\.unlabelled gives"):
        list(trial(Task(candidate=pretrained("dino", **KNOBS), epochs=2, seed=0), few_labels()))


def test_a_check_names_the_field_that_the_data_lacks() -> None:
    knobs = {"dino.instances_per_group": Choice(values=(1, 4))}
    space = pretraining.with_pretraining(pretraining.transformers(), ("dino",), knobs)
    check_fields(space, grouped())
    with pytest.raises(FieldError, match="reads the field group"):
        check_fields(space, few_labels())
    check_fields(space.restrict({"pretraining.dino.instances_per_group": [1]}), few_labels())


def test_groups_decide_pretrained_weights_where_they_are_read() -> None:
    first, second = grouped(), replace(grouped(), pool=replace(grouped().pool, fields={"group": np.arange(225) // 9}))  # type: ignore[type-var]
    for objective, knobs, alike in (("dino", KNOBS, False), ("simclr", {}, True)):
        candidate = pretrained(objective, **knobs)
        stages = pretrainings_of(candidate, 4)
        assert (keys_of(candidate, stages, first) == keys_of(candidate, stages, second)) == alike


def test_a_batch_with_fields_is_not_mixed() -> None:
    plan = mixup.apply(Plan(epochs=1, images=8, classes=3), alpha=0.2)
    batch = Batch(image_BCHW=torch.rand(4, 1, 8, 8), target_BK=torch.rand(4, 3), fields={"group": torch.arange(4)})
    with pytest.raises(ValueError, match=r"recipe\.mixup mixes two images, whose group cannot be mixed; use alpha 0"):
        plan.transforms[0](batch, torch.Generator())


def test_pairs_of_a_group_lie_within_the_gap() -> None:
    group_N, frame_N = np.repeat([0, 1, 2], 6), np.tile([0, 1, 2, 10, 20, -1], 3)
    frame_N[12:] = np.arange(6) * 100  # of the last group no two lie near each other
    pictures = replace(images([0] * 18), fields={"group": group_N, "frame": frame_N})
    pair_P2 = Grouped(per=2, within=2).rows(pictures, 200, 8, np.random.default_rng(0)).reshape(-1, 2)
    assert (group_N[pair_P2[:, 0]] == group_N[pair_P2[:, 1]]).all()
    assert {tuple(sorted(frame_N[pair].tolist())) for pair in pair_P2} == {(0, 1), (0, 2), (1, 2)}
    assert set(group_N[pair_P2].ravel().tolist()) == {0, 1}
    with pytest.raises(OrderError, match="no group has 4 images at most 2 frames apart; allow more"):
        Grouped(per=4, within=2).rows(pictures, 8, 8, np.random.default_rng(0))

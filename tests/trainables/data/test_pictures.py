"""Sources of pretraining images: fractals by their formulas, and the source as a dimension."""

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from search.setting.checks.readers import check_readers
from search.setting.config import ConfigError
from spaces import tiny
from spaces.dimensions import Choice
from spaces.pretraining import with_pretraining
from spaces.sampling import uniform
from tests.trainables.small import batch, loss_of, network, pretrained, without_time
from trainables.data import digits, fractals
from trainables.objectives import multi_instance
from trainables.splits import DataError, Splits
from trainables.stages.phases import Task, phases_of
from trainables.stages.pretraining import keys_of, pretrainings_of
from trainables.training.checkpoint import Checkpoint
from trainables.training.trial import trial


@pytest.fixture(name="splits", scope="module")
def _splits() -> Splits:
    whole = digits.load()
    return replace(whole, train=whole.train.take(np.arange(0, len(whole.train), 10)))


@given(maps=st.integers(2, 7), seed=st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_singular_values_meet_both_constraints(maps: int, seed: int) -> None:
    values_N2 = fractals.singular_values(maps, np.random.default_rng(seed))
    assert values_N2.shape == (maps, 2)
    assert (values_N2 >= -1e-12).all()
    assert (values_N2 <= 1 + 1e-12).all()
    assert (values_N2[:, 0] >= values_N2[:, 1] - 1e-12).all()
    factor = values_N2[:, 0].sum() + 2 * values_N2[:, 1].sum()
    assert (5 + maps) / 2 - 1e-9 <= factor <= (6 + maps) / 2 + 1e-9


def test_a_system_has_the_singular_values_that_were_drawn() -> None:
    sizes = set()
    for number in range(50):
        map_N23 = fractals.system(number, 3)
        values_N2 = np.linalg.svd(map_N23[:, :, :2], compute_uv=False)
        factor = values_N2[:, 0].sum() + 2 * values_N2[:, 1].sum()
        sizes.add(len(map_N23))
        assert values_N2.max() <= 1 + 1e-12
        assert (5 + len(map_N23)) / 2 - 1e-9 <= factor <= (6 + len(map_N23)) / 2 + 1e-9
        assert np.array_equal(map_N23, fractals.system(number, 3))
    assert sizes == {2, 3, 4, 5, 6, 7}


def test_complex_maps_are_the_affine_ones() -> None:
    rng = np.random.default_rng(0)
    map_N23, point_N2 = rng.normal(size=(20, 2, 3)), rng.normal(size=(20, 2))
    expected_N2 = np.einsum("nij,nj->ni", map_N23[:, :, :2], point_N2) + map_N23[:, :, 2]
    found_N = fractals.moved((point_N2[:, 0] + 1j * point_N2[:, 1]).astype(np.complex64), fractals.as_complex(map_N23))
    np.testing.assert_allclose(np.stack([found_N.real, found_N.imag], 1), expected_N2, atol=1e-5)


def test_kept_points_lie_on_the_attractor() -> None:
    """Which is the union of its images under the maps: each point has a near one among all images of all points."""
    drawn = fractals.drawn(10, 0)
    for number in range(10):
        point_P = drawn.point_SP[number].astype(np.complex128)
        a_N, b_N, c_N = np.unique(drawn.map_SK3[number], axis=0).T[:, :, None]
        image_M = (a_N * point_P + b_N * point_P.conj() + c_N).ravel()
        apart_P = np.abs(point_P[:, None] - image_M[None]).min(axis=1)
        assert np.median(apart_P) < 0.02 * drawn.range_S2[number].max()


@pytest.mark.parametrize(("side", "channels"), [(8, 1), (40, 3)])
def test_a_picture_depends_on_its_number_alone(side: int, channels: int) -> None:
    few = {"systems": fractals.drawn(20, 0), "channels": channels, "side": side, "most": 3, "background": 0.3}
    pictures = fractals.Fractals(**few, seed=0)  # type: ignore[arg-type]
    rows_B = np.array([5, 1000, 7, 2**20 - 1])
    image_BCHW, shown_BS = pictures.batch(rows_B)
    assert image_BCHW.shape == (4, channels, side, side)
    assert image_BCHW.min() >= 0
    assert image_BCHW.max() <= 1
    for place, row in enumerate(rows_B):
        image_CHW, shown_S = (part[0] for part in pictures.batch(np.array([row])))
        assert torch.equal(image_CHW, image_BCHW[place])
        assert torch.equal(shown_S, shown_BS[place])
    other_BCHW, _ = fractals.Fractals(**few, seed=1).batch(rows_B)  # type: ignore[arg-type]
    assert not torch.equal(other_BCHW, image_BCHW)


def test_targets_say_which_systems_are_shown(splits: Splits) -> None:
    pictures = fractals.pictures(splits, systems=20, most=3, background=0.0)
    image_BCHW, shown_BS = pictures.batch(np.arange(300))
    assert set(shown_BS.sum(dim=1).tolist()) == {1.0, 2.0, 3.0}
    assert (shown_BS.sum(dim=0) > 0).all()
    assert (image_BCHW.flatten(1).max(dim=1).values > 0.3).all()
    # Pictures of one system alone resemble each other more than pictures of others: the target can be learnt.
    alone = shown_BS.sum(dim=1) == 1
    pixels_NP, class_N = image_BCHW[alone].flatten(1), shown_BS[alone].argmax(dim=1)
    apart_NN = torch.cdist(pixels_NP, pixels_NP)
    same_NN = (class_N[:, None] == class_N) & ~torch.eye(len(class_N), dtype=torch.bool)
    assert apart_NN[same_NN].mean() < 0.9 * apart_NN[class_N[:, None] != class_N].mean()


@pytest.mark.parametrize("wrong", [{"systems": 1}, {"most": 0}, {"systems": 2, "most": 3}, {"background": 1.5}])
def test_fractals_that_cannot_be_are_refused(wrong: dict[str, Any], splits: Splits) -> None:
    with pytest.raises(DataError, match="fractals need at least 2 systems"):
        fractals.pictures(splits, **wrong)


def test_multi_instance_is_the_mean_cross_entropy_of_each_thing() -> None:
    body = network("multi_instance")
    objective = multi_instance.objective(body, classes=6).eval()
    images = batch()
    target_BK = (torch.rand(8, 6, generator=torch.Generator().manual_seed(1)) < 0.4).float()
    loss = loss_of(objective, replace(images, target_BK=target_BK)).detach()
    score_BK = objective.head(body.pooled(images.image_BCHW)).detach()  # type: ignore[operator]
    assert loss == pytest.approx(float(F.multilabel_soft_margin_loss(score_BK, target_BK)), rel=1e-6)
    share_BK, wanted_BK = expit(score_BK.double().numpy()), target_BK.double().numpy()
    entropy_BK = wanted_BK * np.log(share_BK) + (1 - wanted_BK) * np.log(1 - share_BK)
    assert loss == pytest.approx(-entropy_BK.mean(), rel=1e-5)


def phase_of(splits: Splits, name: str, **pretraining: Any) -> Any:
    task = Task(candidate=pretrained(name, **pretraining), epochs=4, seed=3)
    stages = pretrainings_of(task.candidate, 4)
    return next(iter(phases_of(task, splits, stages, [0]))), keys_of(task.candidate, stages, splits)[-1]


def test_the_source_is_a_dimension(splits: Splits) -> None:
    own, key = phase_of(splits, "simclr")
    assert own.images is splits.unlabelled
    assert phase_of(splits, "simclr", source="own")[1] == key
    other, fractal_key = phase_of(splits, "simclr", source="fractals", **{"fractals.systems": 7})
    assert len(other.images.systems) == 7
    assert (other.plan.images, other.plan.epochs) == (own.plan.images, own.plan.epochs)
    assert len({key, fractal_key, phase_of(splits, "simclr", source="fractals")[1]}) == 3
    shown, _ = phase_of(splits, "multi_instance", **{"fractals.systems": 7})
    assert shown.knobs == {"classes": 7}
    assert shown.plan.classes == 7
    labelled, _ = phase_of(splits, "multi_instance", source="own")
    assert labelled.images is splits.train
    assert labelled.knobs == {}


def test_class_labels_of_the_data_are_not_asked_of_fractals() -> None:
    assert pretrainings_of(pretrained("supervised", source="fractals"), 4), "which systems a picture has can be learned"
    with pytest.raises(ValueError, match=r"'distillation' reads class labels, which pictures of source 'fractals'"):
        pretrainings_of(pretrained("distillation", source="fractals"), 4)


@pytest.mark.parametrize("stop", [1, 3])
def test_training_on_fractals_resumes_exactly(stop: int, splits: Splits, tmp_path: Path) -> None:
    task = Task(candidate=pretrained("simclr", source="fractals", **{"fractals.systems": 7}), epochs=4, seed=3)
    checkpoint = Checkpoint(path=tmp_path / "x.pt")
    list(islice(trial(task, splits, checkpoint=checkpoint), stop))
    whole = without_time(list(trial(task, splits)))
    assert without_time(list(trial(task, splits, checkpoint=checkpoint))) == whole
    assert whole != without_time(list(trial(replace(task, candidate=pretrained("simclr")), splits)))


def test_the_shipped_space_searches_over_sources() -> None:
    space = with_pretraining(tiny.space(), ("none", "simclr", "multi_instance"))
    check_readers(space)
    for choice in space.decode(uniform(space, 200, np.random.default_rng(0))):
        objective = choice.pretraining["objective"]
        assert ("source" in choice.pretraining) == (objective == "simclr")
        assert ("fractals.systems" in choice.pretraining) == (objective == "multi_instance")
        stages = pretrainings_of(choice, 6)
        assert [stage.objective for stage in stages] == ([] if objective == "none" else [objective])
        assert all(stage.pictures == choice.pretraining.get("source", "fractals") for stage in stages)
    with pytest.raises(ConfigError, match=r"fractals.sistems' needs that keyword in trainables/data/fractals.py"):
        check_readers(replace(space, pretraining={**space.pretraining, "fractals.sistems": Choice(values=(30,))}))
    other = {**space.pretraining, "source": Choice(values=("own", "fractals", "dreams"))}
    with pytest.raises(ConfigError, match=r"source' has the value 'dreams', which is not in trainables/data/"):
        check_readers(replace(space, pretraining=other))

"""Fractals as their authors draw them: densities, patches, hues, surfaces, and the single-label pretext."""

import colorsys
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.trainables.small import few_labels, network, pretrained
from trainables.data import _published_rendering as rendering
from trainables.data.fractals import singular_values, system
from trainables.data.published_fractals import pictures
from trainables.objectives import supervised
from trainables.plan import Batch
from trainables.splits import DataError
from trainables.training.trial import Task, trial

QUICK = {"systems": 5, "iterations": 2000}


def test_a_density_counts_points_and_marks_a_patch_around_each() -> None:
    rng = np.random.default_rng(0)
    point_P2, patch_33 = rng.random((500, 2)), rng.integers(0, 2, (3, 3)).astype(bool)
    expected = np.zeros((8, 8))
    for x, y in point_P2:
        for row, column in np.argwhere(patch_33):
            r, c = int(x * 7) + row - 1, int(y * 7) + column - 1
            if 0 <= r < 8 and 0 <= c < 8:
                expected[r, c] += 1
    found = rendering.density(point_P2, 8, np.zeros(2), np.ones(2), patch_33)
    np.testing.assert_allclose(found, expected / expected.max())


def test_points_lie_on_the_attractor() -> None:
    """Each has a near one among the images of all points under the maps."""
    map_N23 = system(3, 0)
    point_P2 = rendering.attractor(map_N23, 4000, np.random.default_rng(0))
    image_M2 = np.concatenate([point_P2 @ one[:, :2].T + one[:, 2] for one in map_N23])
    apart = np.sqrt(((point_P2[:200, None] - image_M2[None]) ** 2).sum(-1)).min(axis=1)
    assert np.median(apart) < 0.02 * np.ptp(point_P2, axis=0).max()


def test_hues_are_those_of_colorsys() -> None:
    hsv = np.random.default_rng(0).random((3, 4, 5))
    expected = [colorsys.hsv_to_rgb(*values) for values in hsv.reshape(3, -1).T]
    np.testing.assert_allclose(rendering.from_hsv(*hsv).reshape(-1, 3), expected, atol=1e-12)


def test_a_flat_surface_stays_flat_without_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    class Still:
        def random(self, shape: tuple[int, int]) -> np.ndarray:
            return np.full(shape, 0.3)

        def uniform(self, low: float, high: float, shape: tuple[int, int]) -> np.ndarray:
            return np.zeros(shape)

    np.testing.assert_allclose(rendering.diamond_square(4, 0.5, Still()), 0.3)  # type: ignore[arg-type]
    rough = rendering.diamond_square(5, 0.5, np.random.default_rng(0))
    assert rough.shape == (33, 33)
    assert np.abs(np.diff(rough, axis=0)).mean() < 0.5 * rough.std() * 2  # neighbours are alike


@pytest.mark.parametrize("most", [1, 3])
def test_pictures_repeat_and_say_what_they_show(most: int) -> None:
    splits = replace(few_labels())
    first, second = (pictures(splits, most=most, **QUICK) for _ in range(2))  # type: ignore[arg-type]
    rows = np.arange(12)
    image_BCHW, shown_BS = first.batch(rows)
    assert torch.equal(image_BCHW[5:8], second.batch(rows[5:8])[0])
    assert image_BCHW.shape == (12, 1, 8, 8)
    assert 0 <= float(image_BCHW.min()) < float(image_BCHW.max()) <= 1
    assert shown_BS.sum(1).min() == 1
    assert shown_BS.sum(1).max() == (1 if most == 1 else pytest.approx(2.5, abs=0.5))


def test_the_range_of_singular_values_is_a_choice() -> None:
    rng = np.random.default_rng(0)
    for maps in (2, 7):
        values_N2 = singular_values(maps, rng, low=1.0, high=2.0)
        assert (1 + maps) / 2 - 1e-9 <= values_N2.sum() + values_N2[:, 1].sum() <= (2 + maps) / 2 + 1e-9
    with pytest.raises(DataError, match="low <= high"):
        pictures(few_labels(), low=7.0, high=6.0)


def test_one_fractal_a_picture_is_a_class_of_its_own() -> None:
    body = network("supervised")
    objective = supervised.objective(body, classes=5)
    image_BCHW, shown_BS = pictures(few_labels(), most=1, **QUICK).batch(np.arange(6))  # type: ignore[arg-type]
    loss = objective(Batch(image_BCHW=image_BCHW, target_BK=shown_BS), torch.Generator())
    scores = objective.head(body.pooled(image_BCHW))
    assert torch.allclose(loss, torch.nn.functional.cross_entropy(scores, shown_BS.argmax(1)))
    knobs = {f"published_fractals.{name}": value for name, value in {**QUICK, "most": 1}.items()}
    candidate = pretrained("supervised", source="published_fractals", **knobs)
    few = replace(few_labels(), pool=few_labels().train)
    assert len(list(trial(Task(candidate=candidate, epochs=2, seed=0), few))) == 2

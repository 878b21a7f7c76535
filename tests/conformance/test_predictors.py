"""What every predictor on disk must do. New files are picked up by themselves.

Fits are shared, and of no more rows than their fact needs: one of more than five rows makes a blend fit its members
six times.
"""

from functools import cache
from typing import Any

import numpy as np
import pytest

from predictors.parts import transfer
from predictors.parts.agreement import kendall_tau
from predictors.protocol import Prediction, Predictor
from search.samplers._surrogates import SURROGATES
from spaces.components import PREDICTORS, load, names
from spaces.encoding import Layout
from tests.nights import by_night
from tests.places import ROOT
from tests.predictors.worlds import LAYOUT, world
from tests.processes import elsewhere

NAMES = (*names(PREDICTORS), "transfer")  # a part that keeps the contract of predictors
IGNORANT = ("constant",)


def some_rows(name: str) -> int:
    """Where any number would do: a blend fits its members once more for each of up to five folds."""
    return 3 if name == "blend" else 24


def module_of(name: str) -> Any:
    return transfer if name == "transfer" else load(PREDICTORS, name)


def model(name: str, seed: int = 5, layout: Layout = LAYOUT) -> Predictor:
    built: Predictor = module_of(name).Model(layout=layout, rng=np.random.default_rng(seed))
    return built


@cache
def fitted(name: str, rows: int, *, pretrained: bool = False, statistics: int = 2, noise: float = 0.02) -> Predictor:
    """Tests ask it for predictions and do not fit it again, so that they share it."""
    built = model(name)
    if pretrained:
        built.pretrain(*world(64, seed=9, statistics=statistics)[:2])
    built.fit(*world(rows, statistics=statistics, noise=noise))
    return built


def test_what_cannot_be_chosen_is_a_part() -> None:
    files = {file.stem for file in (ROOT / "predictors").glob("*.py")}
    assert files - {"__init__", "protocol"} == set(names(PREDICTORS))


@pytest.mark.parametrize("name", names(PREDICTORS))
def test_a_file_names_the_costs_it_needs_and_takes_the_column_of_each(name: str) -> None:
    needs = load(PREDICTORS, name).NEEDS
    assert isinstance(needs, tuple)
    load(PREDICTORS, name).Model(layout=LAYOUT, rng=np.random.default_rng(0), **dict.fromkeys(needs, 0))


@pytest.mark.parametrize("name", names(SURROGATES))
def test_a_surrogate_answers_on_the_learning_scale_and_forgets_other_scores(name: str) -> None:
    x_NF, s_NK, y_N = world(24)
    new = world(40, seed=1)[:2]
    predictors = {
        (factor, length): load(SURROGATES, name).surrogate(layout=LAYOUT, rng=np.random.default_rng(0), length=length)
        for factor, length in ((1.0, 1.0), (100.0, 1.0), (1.0, 0.2))
    }
    for (factor, _), predictor in predictors.items():
        predictor.fit(x_NF[:12], s_NK[:12], factor * y_N[:12])
        predictor.fit(x_NF, s_NK, factor * y_N)
    same, scaled, rough = (predictor.predict(*new).mean_N for predictor in predictors.values())
    np.testing.assert_allclose(same, scaled, atol=1e-6)  # whatever the unit of the scores
    assert np.abs(same - rough).max() > 1e-3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rows", by_night((1, 2, 3, 5), {3}))
def test_few_rows_give_finite_predictions_of_the_right_shape(name: str, rows: int) -> None:
    prediction = fitted(name, rows).predict(*world(17, seed=1)[:2])
    assert prediction.mean_N.shape == prediction.std_N.shape == (17,)
    assert prediction.mean_N.dtype == prediction.std_N.dtype == np.float64
    assert np.isfinite(prediction.noise_std)
    assert prediction.noise_std >= 0


@pytest.mark.parametrize("name", NAMES)
def test_no_rows_are_predicted_as_no_rows(name: str) -> None:
    x_NF, s_NK, _ = world(3)
    assert fitted(name, 5).predict(x_NF[:0], s_NK[:0]).mean_N.shape == (0,)


def predictions(name: str) -> tuple[list[float], list[float], float]:
    """Mean, spread and noise of a predictor that was pretrained and fitted."""
    prediction = fitted(name, some_rows(name), pretrained=True).predict(*world(10, seed=1)[:2])
    return prediction.mean_N.tolist(), prediction.std_N.tolist(), prediction.noise_std


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_predicts_the_same_in_another_process(name: str) -> None:
    mean, std, noise = predictions(name)
    other_mean, other_std, other_noise = elsewhere(predictions, name)
    np.testing.assert_allclose(mean, other_mean, rtol=1e-6)
    np.testing.assert_allclose(std, other_std, rtol=1e-5)
    assert noise == pytest.approx(other_noise, rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_rows_does_not_matter(name: str) -> None:
    rows = some_rows(name)
    x_NF, s_NK, y_N = world(rows)
    order_N = np.random.default_rng(3).permutation(rows)
    new = world(30, seed=1)[:2]
    shuffled = model(name)
    shuffled.pretrain(*world(64, seed=9)[:2])
    shuffled.fit(x_NF[order_N], s_NK[order_N], y_N[order_N])
    first, second = fitted(name, rows, pretrained=True).predict(*new), shuffled.predict(*new)
    np.testing.assert_allclose(first.mean_N, second.mean_N, atol=0.05 * y_N.std())
    np.testing.assert_allclose(first.std_N, second.std_N, rtol=0.2, atol=0.02 * y_N.std())


@pytest.mark.parametrize("name", NAMES)
def test_a_second_fit_forgets_the_first(name: str) -> None:
    new = world(12, seed=1)[:2]
    twice = model(name)
    x_NF, s_NK, y_N = world(3, seed=2)
    twice.fit(x_NF, s_NK, -y_N)
    twice.fit(*world(2))
    np.testing.assert_allclose(twice.predict(*new).mean_N, fitted(name, 2).predict(*new).mean_N, rtol=1e-6)


SIXTY = by_night(NAMES, {"blend"})
"""Names for tests that fit sixty rows, which takes a blend half a minute beside others."""


@pytest.mark.parametrize("name", [name for name in SIXTY if name not in IGNORANT])
def test_it_orders_unseen_candidates_of_a_smooth_function(name: str) -> None:
    x_NF, s_NK, truth_N = world(400, seed=1, noise=0.0)
    tau = kendall_tau(fitted(name, 60).predict(x_NF, s_NK).mean_N, truth_N)
    macs_alone = kendall_tau(s_NK[:, 0], truth_N)
    assert tau > 0.9 * macs_alone > 0.2


@pytest.mark.parametrize("name", SIXTY)
def test_intervals_hold_most_of_the_truth_and_are_not_boundless(name: str) -> None:
    x_NF, s_NK, truth_N = world(400, seed=1, noise=0.0)
    prediction = fitted(name, 60).predict(x_NF, s_NK)
    inside_N = np.abs(prediction.mean_N - truth_N) <= 1.645 * prediction.std_N
    assert inside_N.mean() >= 0.8
    assert prediction.std_N.mean() < 1.3 * truth_N.std()


@pytest.mark.parametrize("name", NAMES)
def test_equal_scores_are_predicted_as_such(name: str) -> None:
    x_NF, s_NK, _ = world(3)
    built = model(name)
    built.fit(x_NF, s_NK, np.full(3, 0.3))
    np.testing.assert_allclose(built.predict(x_NF, s_NK).mean_N, 0.3, atol=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_repeated_and_constant_candidates_do_no_harm(name: str) -> None:
    x_NF, s_NK, y_N = world(4)
    built = model(name)
    built.fit(np.repeat(x_NF[:1], 4, axis=0), np.repeat(s_NK[:1], 4, axis=0), y_N)
    mean_N = built.predict(x_NF[:1], s_NK[:1]).mean_N
    assert y_N.min() <= mean_N[0] <= y_N.max()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("statistics", [0, 1, 40])
def test_any_number_of_statistics(name: str, statistics: int) -> None:
    if name in names(PREDICTORS) and module_of(name).NEEDS and not statistics:
        with pytest.raises(ValueError, match="reads column 0"):
            fitted(name, 3, statistics=0)
        return
    prediction = fitted(name, 3, statistics=statistics).predict(*world(5, seed=1, statistics=statistics)[:2])
    assert np.ptp(prediction.mean_N) < 1.0  # scores lie within a few tenths


@pytest.mark.parametrize("name", NAMES)
def test_a_space_without_choices(name: str) -> None:
    built, s_NK = model(name, layout=Layout(groups=())), np.arange(3.0)[:, None]
    built.pretrain(np.zeros((3, 0), np.float32), s_NK)
    built.fit(np.zeros((3, 0), np.float32), s_NK, np.arange(3.0))
    assert isinstance(built.predict(np.zeros((2, 0), np.float32), s_NK[:2]), Prediction)


@pytest.mark.parametrize("name", NAMES)
def test_predicting_before_fitting_is_an_error(name: str) -> None:
    with pytest.raises(RuntimeError, match=f"'{name}' has no scores yet"):
        model(name).predict(*world(3)[:2])


@pytest.mark.parametrize("name", NAMES)
def test_bad_rows_are_errors(name: str) -> None:
    x_NF, s_NK, y_N = world(6)
    built = model(name)
    with pytest.raises(ValueError, match="at least one scored candidate"):
        built.fit(x_NF[:0], s_NK[:0], y_N[:0])
    with pytest.raises(ValueError, match="one score for each of 6 rows"):
        built.fit(x_NF, s_NK, y_N[:5])
    with pytest.raises(ValueError, match="one row per candidate"):
        built.fit(x_NF, s_NK[:5], y_N)
    with pytest.raises(ValueError, match="the layout has"):
        built.fit(x_NF[:, 1:], s_NK, y_N)
    with pytest.raises(ValueError, match=r"y_N\[2\] is nan"):
        built.fit(x_NF, s_NK, np.where(np.arange(6) == 2, np.nan, y_N))
    with pytest.raises(ValueError, match="s_NK must be finite, row 3"):
        built.fit(x_NF, np.where(np.arange(6)[:, None] == 3, np.inf, s_NK), y_N)
    with pytest.raises(ValueError, match="fitted with 2 statistics"):
        fitted(name, 5).predict(x_NF, s_NK[:, :1])

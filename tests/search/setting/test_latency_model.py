import numpy as np
import pytest
from scipy import stats

from search.setting.latency_model import LatencyModel
from spaces import tiny
from spaces.sampling import sobol, uniform
from trainables.counting.statistics import count

SPACE = tiny.space().restrict({"architecture.resolution": (8, 12, 16)})


def _device(codes_ND: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A made-up device: time per stage grows with its choices, squeeze-excite costs extra, 2 % noise."""
    values = SPACE.values(codes_ND, "architecture")
    total_N = 0.1 + 0.05 * (values["activation"] == "silu")
    for stage in range(3):
        block_N = 0.02 + values[f"width.{stage}"] * values[f"expansion.{stage}"] * values[f"kernel.{stage}"] * 2e-4
        total_N = total_N + values[f"depth.{stage}"] * block_N * (1 + 0.7 * values[f"squeeze_excite.{stage}"])
    milliseconds_N: np.ndarray = total_N * (1 + 0.02 * rng.standard_normal(len(codes_ND)))
    return milliseconds_N


def _agreement(seed: int) -> tuple[float, float, float]:
    """Of 300 unseen candidates after 100 measured ones: Spearman, Spearman of macs alone, median relative error."""
    rng = np.random.default_rng(seed)
    codes_ND = uniform(SPACE, 400, rng)
    counts = count(SPACE, codes_ND, classes=10, channels=1)
    latency_N = _device(codes_ND, rng)
    first = count(SPACE, codes_ND[:100], classes=10, channels=1)
    model = LatencyModel.fit(SPACE, codes_ND[:100], first, latency_N[:100])
    predicted_N = model.predict(codes_ND, counts)[100:]
    return (
        float(stats.spearmanr(predicted_N, latency_N[100:])[0]),
        float(stats.spearmanr(counts.macs_N[100:], latency_N[100:])[0]),
        float(np.median(np.abs(predicted_N / latency_N[100:] - 1))),
    )


def test_a_hundred_measurements_predict_an_additive_device() -> None:
    # Which hundred are drawn moves the agreement by some hundredths, so the median of three draws is judged.
    agreement, by_macs, error = np.median([_agreement(seed) for seed in range(3)], axis=0)
    assert agreement > 0.95 > by_macs
    assert error < 0.1


def test_the_recipe_changes_no_prediction_and_nothing_is_drawn() -> None:
    rng = np.random.default_rng(1)
    codes_ND = uniform(SPACE, 20, rng)
    counts = count(SPACE, codes_ND, classes=10, channels=1)
    latency_N = _device(codes_ND, rng)
    model = LatencyModel.fit(SPACE, codes_ND, counts, latency_N)
    again = LatencyModel.fit(SPACE, codes_ND, counts, latency_N)
    assert np.array_equal(again.predict(codes_ND, counts), model.predict(codes_ND, counts))
    other_ND = uniform(SPACE, 20, rng)
    architecture = [column for column, address in enumerate(SPACE.addresses) if address.startswith("architecture.")]
    other_ND[:, architecture] = codes_ND[:, architecture]
    assert np.allclose(model.predict(other_ND, counts), model.predict(codes_ND, counts))


def test_what_cannot_be_fitted_is_refused() -> None:
    codes_ND = uniform(SPACE, 10, np.random.default_rng(2))
    counts = count(SPACE, codes_ND, classes=10, channels=1)
    with pytest.raises(ValueError, match="positive, finite"):
        LatencyModel.fit(SPACE, codes_ND, counts, np.array([1.0] * 9 + [np.nan]))
    with pytest.raises(ValueError, match="given 10, 10 and 5"):
        LatencyModel.fit(SPACE, codes_ND, counts, np.ones(5))


def test_the_predictions_are_those_of_a_model_that_was_written_before() -> None:
    space = tiny.space()
    codes_ND, new_ND = sobol(space, 40, 0), sobol(space, 45, 1)[40:]
    counts, new = (count(space, rows_ND, classes=10, channels=1) for rows_ND in (codes_ND, new_ND))
    latency_N = 0.2 + 3e-7 * counts.macs_N + 0.05 * codes_ND[:, 0] + 1e-3 * np.sin(np.arange(40))
    learnt = LatencyModel.fit(space, codes_ND, counts, latency_N)
    expected = [0.37843215025776694, 1.4461627992336834, 0.7263700041608938, 0.2881553577650342, 0.46239057535905126]
    np.testing.assert_allclose(learnt.predict(new_ND, new), expected, rtol=1e-4)
    theta = np.linspace(-3, -0.5, len(learnt.theta))
    fixed = LatencyModel.fit(space, codes_ND, counts, latency_N, theta=theta)
    expected = [0.2696873312301655, 1.3367813458964066, 0.5249608353963457, 0.34035560800647563, 0.4540843238138216]
    np.testing.assert_allclose(fixed.predict(new_ND, new), expected, rtol=1e-9)

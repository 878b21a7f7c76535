from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats

from spaces import tiny
from spaces.sampling import uniform
from trainables.counting import latency
from trainables.counting.latency import RUNTIMES, measure
from trainables.counting.latency_model import LatencyModel
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
    again = LatencyModel.fit(SPACE, codes_ND[:100], first, latency_N[:100])
    assert np.array_equal(again.predict(codes_ND, counts)[100:], predicted_N)
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


def test_the_recipe_changes_no_prediction() -> None:
    rng = np.random.default_rng(1)
    codes_ND = uniform(SPACE, 20, rng)
    counts = count(SPACE, codes_ND, classes=10, channels=1)
    model = LatencyModel.fit(SPACE, codes_ND, counts, _device(codes_ND, rng))
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


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_median_and_the_spread_of_the_repeats_are_measured(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Dropout()).train()
    threads, seen = torch.get_num_threads(), []

    def timed(run: Callable[[], object]) -> float:
        output = run()
        seen.append(np.asarray(output[0] if isinstance(output, list) else output))
        return float(len(seen))

    monkeypatch.setattr(latency, "_timed", timed)
    measured = latency.measure(network, channels=3, resolution=8, runtime=runtime, threads=1, batch=2, repeats=9)
    assert (measured.median_ms, measured.spread_ms, measured.repeats, measured.runtime) == (5.0, 4.0, 9, runtime)
    assert [output.shape for output in seen] == [(2, 4, 6, 6)] * 9
    assert np.array_equal(seen[0], seen[-1])  # in evaluation mode: dropout is off
    assert network.training
    assert torch.get_num_threads() == threads


def test_an_unknown_runtime_is_refused() -> None:
    with pytest.raises(ValueError, match="onnxruntime or torch, given 'tensorrt'"):
        measure(torch.nn.Identity(), channels=1, resolution=8, runtime="tensorrt")
    with pytest.raises(ValueError, match="given 0, 1 and 50"):
        measure(torch.nn.Identity(), channels=1, resolution=8, threads=0)

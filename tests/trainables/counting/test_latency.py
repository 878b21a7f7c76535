from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from trainables.counting import latency
from trainables.counting.latency import RUNTIMES, measure
from trainables.counting.times import is_unsteady


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


def test_an_unsteady_time_of_a_file_is_measured_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    steady, busy = np.array([4.0, 4.0, 5.0]), np.array([3.0, 9.0, 30.0])
    for times, expected, left in (([busy, steady, busy], 4.0, 1), ([steady, busy], 4.0, 1), ([busy] * 4, 9.0, 1)):
        waiting = list(times)
        monkeypatch.setattr(latency, "_session", lambda *_: _Session())
        monkeypatch.setattr(latency, "_times", lambda *_, waiting=waiting: waiting.pop(0))
        measured = latency.measure_file(tmp_path / "model.onnx", repeats=3)
        assert (measured.median_ms, len(waiting)) == (expected, left)
        assert is_unsteady(measured.median_ms, measured.spread_ms) == (expected == 9.0)


class _Session:
    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(shape=("N", 1, 2, 2), name="image")]

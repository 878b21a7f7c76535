"""Latency: measured on this device, and predicted for any candidate from few measurements: a free statistic."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

RUNTIMES = ("onnxruntime", "torch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Time of one forward pass on this device.

    Attributes:
        median_ms: median over the repeats, milliseconds.
        spread_ms: interquartile range, milliseconds.
        runtime, threads, batch, repeats: how it was measured.
    """

    median_ms: float
    spread_ms: float
    runtime: str
    threads: int
    batch: int
    repeats: int


def measure(
    network: Any,
    *,
    channels: int,
    resolution: int,
    runtime: str = "onnxruntime",
    threads: int = 1,
    batch: int = 1,
    warm_up: int = 10,
    repeats: int = 50,
) -> Latency:
    """Measure a network under a runtime.

    Args:
        network: a torch module; it is exported for ``onnxruntime``.
        channels, resolution: of the square input images.
        runtime: one of ``RUNTIMES``.
        threads: of one operator; operators run one after the other.
        batch: images per pass.
        warm_up: passes before the clock starts.
        repeats: timed passes.

    Raises:
        ValueError: an unknown runtime, or a count below 1.
    """
    if runtime not in RUNTIMES:
        raise ValueError(f"latency is measured under {' or '.join(RUNTIMES)}, given '{runtime}'")
    if min(threads, batch, repeats) < 1 or warm_up < 0:
        raise ValueError(f"threads, batch and repeats are 1 or more, given {threads}, {batch} and {repeats}")
    import torch

    images = torch.rand(batch, channels, resolution, resolution, generator=torch.Generator().manual_seed(0))
    training = network.training
    network.eval()
    try:
        with _torch_threads(threads), torch.inference_mode():
            run = _torch_pass(network, images) if runtime == "torch" else _onnx_pass(network, images, threads)
            for _ in range(warm_up):
                run()
            milliseconds = np.array([_timed(run) for _ in range(repeats)])
    finally:
        network.train(training)
    low, median, high = np.percentile(milliseconds, (25, 50, 75))
    return Latency(
        median_ms=float(median),
        spread_ms=float(high - low),
        runtime=runtime,
        threads=threads,
        batch=batch,
        repeats=repeats,
    )


def _timed(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return (time.perf_counter() - started) * 1000


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _torch_pass(network: Any, images: Any) -> Callable[[], object]:
    return lambda: network(images)


def _onnx_pass(network: Any, images: Any, threads: int) -> Callable[[], object]:
    import onnxruntime
    import torch

    with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
        warnings.simplefilter("ignore")  # torch's exporter warns about its own use of deprecated functions
        program = torch.onnx.export(network, (images.clone(),), dynamo=True, verbose=False)
    if program is None:
        raise RuntimeError("torch's ONNX exporter returned nothing")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        program.model_proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feed = {session.get_inputs()[0].name: images.numpy()}
    return lambda: session.run(None, feed)

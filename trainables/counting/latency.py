"""Latency: the time of a forward pass on this device, of a network or of an ONNX file."""

import platform
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trainables.counting.times import Latency, is_unsteady
from trainables.deploy import evaluating

RUNTIMES = ("onnxruntime", "torch")
CPUS = Path("/proc/cpuinfo")
ATTEMPTS = 3
"""How often an unsteady time is measured; the shortest median stands."""


def measure(
    network: nn.Module,
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
        network: it is exported for ``onnxruntime``; ``measure_file`` takes one that is exported already.
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
    _check_counts(threads, batch, warm_up, repeats)
    image_NCHW = _images(batch, channels, resolution, resolution)
    with evaluating(network), _torch_threads(threads), torch.inference_mode():
        if runtime == "torch":
            times = _times(lambda: network(image_NCHW), warm_up, repeats)
        else:
            times = _times(_pass(_session(_exported(network, image_NCHW), threads), image_NCHW), warm_up, repeats)
    return _summary(times, runtime=runtime, threads=threads, batch=batch)


def measure_file(path: Path, *, threads: int = 1, batch: int = 1, warm_up: int = 10, repeats: int = 50) -> Latency:
    """Measure an ONNX file under ONNX Runtime; its one input is images, of which it takes any number.

    Where other work is in the way, it is measured once and once more.

    Args:
        path: of the file.
        threads: of one operator; operators run one after the other.
        batch: images per pass.
        warm_up: passes before the clock starts.
        repeats: timed passes.

    Raises:
        ValueError: a count below 1.
    """
    _check_counts(threads, batch, warm_up, repeats)
    session = _session(str(path), threads)
    shape = session.get_inputs()[0].shape
    run = _pass(session, _images(batch, *shape[1:]))
    measured: list[Latency] = []
    while len(measured) < ATTEMPTS and all(is_unsteady(one.median_ms, one.spread_ms) for one in measured):
        times = _times(run, warm_up, repeats)
        measured.append(_summary(times, runtime="onnxruntime", threads=threads, batch=batch))
    return min(measured, key=lambda one: one.median_ms)


def device_name() -> str:
    """This machine's processor, for people."""
    try:
        named = (line.partition(":") for line in CPUS.read_text(encoding="utf-8").splitlines())
        name = next(value.strip() for key, _, value in named if key.strip() == "model name")
    except (OSError, StopIteration):
        name = platform.processor()
    return name or platform.machine() or "an unnamed processor"


def _check_counts(threads: int, batch: int, warm_up: int, repeats: int) -> None:
    if min(threads, batch, repeats) < 1 or warm_up < 0:
        raise ValueError(f"threads, batch and repeats are 1 or more, given {threads}, {batch} and {repeats}")


def _images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def _times(run: Callable[[], object], warm_up: int, repeats: int) -> NDArray[np.float64]:
    """Milliseconds of each pass, after some that are not counted."""
    for _ in range(warm_up):
        run()
    return np.array([_timed(run) for _ in range(repeats)])


def _timed(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return (time.perf_counter() - started) * 1000


def _summary(times: NDArray[np.float64], *, runtime: str, threads: int, batch: int) -> Latency:
    low, median, high = np.percentile(times, (25, 50, 75))
    return Latency(
        median_ms=float(median),
        spread_ms=float(high - low),
        runtime=runtime,
        threads=threads,
        batch=batch,
        repeats=len(times),
    )


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _exported(network: nn.Module, image_NCHW: Tensor) -> bytes:
    with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
        warnings.simplefilter("ignore")  # torch's exporter warns about its own use of deprecated functions
        program = torch.onnx.export(network, (image_NCHW.clone(),), dynamo=True, verbose=False)
    if program is None:
        raise RuntimeError("torch's ONNX exporter returned nothing")
    content: bytes = program.model_proto.SerializeToString()
    return content


def _session(model: str | bytes, threads: int) -> Any:
    """A session of ONNX Runtime on the CPU for a file's name or content."""
    import onnxruntime  # only who measures needs it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _pass(session: Any, image_NCHW: Tensor) -> Callable[[], object]:
    feed = {session.get_inputs()[0].name: image_NCHW.numpy()}
    return lambda: session.run(None, feed)

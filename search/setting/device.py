"""The latency of a device as a limit: measured once for a run, kept with it, and predicted for every candidate.

Limits are on *predicted* latency: nobody can measure every candidate. What was measured, the device's name and the
model's hyperparameters stay in one file of the run's folder. A resumed run reads it, so the load of the machine at that
moment changes no candidate. The same file describes another device to other runs in the space.
"""

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from search.files import read_json, write_if_absent
from search.setting.config import ConfigError
from search.setting.latency_model import LatencyModel, held_out_error
from search.setting.weights import fetch_weights
from spaces.candidate import Candidate
from spaces.sampling import sobol
from spaces.space import Codes, Space
from trainables.counting.counts import Counts
from trainables.counting.latency import measure
from trainables.counting.statistics import count
from trainables.splits import Splits
from trainables.training.building import build

FILE = "latency.json"
"""Name of the file in a run's folder."""
FORMAT = 1
MEASURED = 64
"""Candidates that are measured; about as many as ``docs/latency.md`` fits models to."""
RUNTIME, THREADS, BATCH = "onnxruntime", 1, 1


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device and the model of its latencies.

    Attributes:
        name: what was measured, for people.
        model: predicts candidates of the space.
        measured: how many candidates it was fitted to.
        relative_error: median of |predicted - measured| / measured on held-out candidates, by cross-validation.
    """

    name: str
    model: LatencyModel
    measured: int
    relative_error: float

    def describe(self) -> str:
        """One sentence that says that latencies are predicted, and how well."""
        return (
            f"latency_ms is predicted, for {self.name}, by a model of {self.measured} measured candidates; "
            f"its median error on held-out ones is {self.relative_error:.1%}"
        )


def device_of(folder: Path, space: Space, splits: Splits, file: str | None) -> Device:
    """The device of a run: the one in its folder, else that of ``file``, else this machine, measured.

    Whichever it is stays in the folder and is the one next time. Pretrained weights are fetched before it is measured.

    Raises:
        ConfigError: a file that does not exist or does not describe latencies in this space.
        WeightsError: pretrained weights of the space cannot be fetched or read, or do not fit.
    """
    own = folder / FILE
    if not own.exists():
        text = _measured(space, splits) if file is None else _copied(Path(file), space, splits)
        folder.mkdir(parents=True, exist_ok=True)
        write_if_absent(own, text)  # of two processes that measured at the same time, both read the first one's file
    return load_device(own, space, splits)


def load_device(path: Path, space: Space, splits: Splits) -> Device:
    """The device that a file describes.

    Raises:
        ConfigError: the file does not exist or does not describe latencies in this space.
    """
    with _named(path):
        content = read_json(path)
        rows = _rows(content, space, splits)
        if content.get("theta") is None:
            content = _learnt(content, space, splits)
        model = LatencyModel.fit(space, *rows, np.array(content["theta"], dtype=np.float64))
        return Device(
            name=str(content["device"]),
            model=model,
            measured=len(rows[0]),
            relative_error=float(content["relative_error"]),
        )


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise ConfigError(f"'{path}' does not give a device's latencies in this space: {reason}") from error


def _copied(path: Path, space: Space, splits: Splits) -> str:
    with _named(path):
        return _text(_learnt(read_json(path), space, splits))


def _learnt(content: dict[str, Any], space: Space, splits: Splits) -> dict[str, Any]:
    """A file's content with what is learnt from it, so that it is never learnt again: hyperparameters and error."""
    rows = _rows(content, space, splits)
    model = LatencyModel.fit(space, *rows)
    error = held_out_error(space, *rows)
    return {**content, "theta": model.theta.tolist(), "relative_error": round(error, 5)}


def _rows(content: Any, space: Space, splits: Splits) -> tuple[Codes, Counts, NDArray[np.float64]]:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"it must be an object with format {FORMAT}, device and measured")
    rows = content["measured"]
    codes_ND = space.encode([Candidate.from_dict(row["candidate"]) for row in rows])
    counts = count(space, codes_ND, classes=len(splits.classes), channels=splits.channels)
    return codes_ND, counts, np.array([float(row["latency_ms"]) for row in rows])


def _measured(space: Space, splits: Splits) -> str:
    """Measure this machine: spread-out candidates, randomly initialised, in the form that members are exported in."""
    for _ in fetch_weights(space, splits):  # minutes of measuring are not to end in weights that do not fit
        pass
    codes_ND = sobol(space, MEASURED, 0)
    candidates = space.decode(codes_ND)
    rows: list[dict[str, Any]] = []
    for candidate in track(
        candidates, "measuring the latency of this machine", console=Console(stderr=True), transient=True
    ):
        network = build(candidate, splits)
        latency = measure(
            network,
            channels=splits.channels,
            resolution=splits.resolution,
            runtime=RUNTIME,
            threads=THREADS,
            batch=BATCH,
        )
        rows.append({"candidate": candidate.to_dict(), "latency_ms": latency.median_ms})
    name = f"{platform.node()} ({platform.machine()}, {RUNTIME}, {THREADS} thread, batch {BATCH})"
    return _text(_learnt({"format": FORMAT, "device": name, "measured": rows}, space, splits))


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1) + "\n"

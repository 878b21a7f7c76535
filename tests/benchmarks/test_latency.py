"""How well latency is predicted, here and on the six devices of Accel-NASBench. Writes ``docs/latency.md``."""

import json
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from search.setting.latency_model import LatencyModel
from spaces import tiny
from spaces.candidate import keywords
from spaces.dimensions import Choice
from spaces.sampling import uniform
from spaces.space import Space
from tests.places import ROOT
from trainables.backbones import mobile
from trainables.counting.counts import Counts
from trainables.counting.latency import RUNTIMES, measure
from trainables.counting.statistics import count

TABLES = Path(os.environ.get("NARS_TABLES", ROOT.parent / "shared" / "tables"))
DEVICES = (
    "latency_zcu102", "latency_vck190", "throughput_a100", "throughput_3090", "throughput_tpuv2", "throughput_tpuv3",
)  # fmt: skip
FITTED, UNSEEN = 100, 50

pytestmark = pytest.mark.benchmark


def _row(name: str, predicted_N: np.ndarray, true_N: np.ndarray, macs_N: np.ndarray) -> str:
    error_N = np.abs(predicted_N / true_N - 1)
    figures = (
        stats.spearmanr(predicted_N, true_N)[0],
        stats.kendalltau(predicted_N, true_N)[0],
        stats.spearmanr(macs_N, true_N)[0],
    )
    columns = [name, str(len(true_N)), *(f"{figure:.3f}" for figure in figures), f"{np.median(error_N):.1%}",
               f"{error_N.mean():.1%}"]  # fmt: skip
    return f"| {' | '.join(columns)} |"


@pytest.fixture(scope="module")
def report() -> Iterator[list[str]]:
    lines: list[str] = []
    yield lines
    header = (
        "| device | unseen | Spearman | Kendall | Spearman of macs | median error | mean error |\n"
        "|---|---|---|---|---|---|---|"
    )
    text = (
        "# Latency as a free statistic\n\n"
        f"`search.setting.latency_model.LatencyModel` fitted to {FITTED} random candidates and asked for others it has "
        "not seen. Errors are relative to the measured latency; *Spearman of macs* is what ranking by macs alone "
        "reaches.\n\n"
        "Tables: Accel-NASBench (MnasNet-like networks; latency, or 1000 / throughput), mean over three random splits. "
        f"This device: the `tiny` space at 8 to 32 pixels, batch 1, one thread, median of 50 passes, on "
        f"{platform.machine()} with {os.cpu_count()} cores shared with other work.\n\n"
        "Written by `tests/benchmarks/test_latency.py`.\n\n"
    )
    (ROOT / "docs").mkdir(exist_ok=True)
    (ROOT / "docs" / "latency.md").write_text(text + "\n".join([header, *lines]) + "\n", encoding="utf-8")


def _table() -> tuple[Space, np.ndarray, pd.DataFrame]:
    described = json.loads((TABLES / "accel_nasbench.json").read_text(encoding="utf-8"))
    rows = pd.read_parquet(TABLES / "accel_nasbench.parquet")
    dimensions, columns = {}, []
    for dimension in described["dimensions"]:
        block, kind = dimension["name"].split("_")
        values = tuple(dimension["values"])
        ordered = dimension["type"] == "ordinal"
        dimensions[f"{kind}.{block.removeprefix('block')}"] = Choice(values=values, ordered=ordered)
        columns.append([values.index(value) for value in rows[dimension["name"]]])
    space = Space(name="accel_nasbench", backbone="table", architecture=dimensions, recipe={})
    return space, np.array(columns, dtype=np.int16).T, rows


def _known(rows: pd.DataFrame) -> Counts:
    """The table's macs and params; it has no activations, so they are one for all."""
    size = len(rows)
    return Counts(
        macs_N=(rows["macs_millions"] * 1e6).to_numpy().astype(np.int64),
        params_N=(rows["params_millions"] * 1e6).to_numpy().astype(np.int64),
        activations_N=np.ones(size, dtype=np.int64),
        resolution_N=np.full(size, 224, dtype=np.int64),
    )


@pytest.mark.parametrize("device", DEVICES)
def test_recorded_devices(device: str, report: list[str]) -> None:
    space, codes_ND, rows = _table()
    latency_N = rows[device].to_numpy(dtype=float)
    latency_N = latency_N if device.startswith("latency") else 1000 / latency_N
    measured = np.flatnonzero(np.isfinite(latency_N))
    predicted, true, macs = [], [], []
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(measured)
        seen, unseen = order[:FITTED], order[FITTED:]
        model = LatencyModel.fit(space, codes_ND[seen], _known(rows.iloc[seen]), latency_N[seen])
        predicted.append(model.predict(codes_ND[unseen], _known(rows.iloc[unseen])))
        true.append(latency_N[unseen])
        macs.append(rows["macs_millions"].to_numpy()[unseen])
    taken = [_row(device, *parts) for parts in zip(predicted, true, macs, strict=True)]
    cells = np.array([[cell.strip().rstrip("%") for cell in line.split("|")[2:-1]] for line in taken], dtype=float)
    mean = cells.mean(axis=0)
    figures = [f"{mean[0]:.0f}", *(f"{value:.3f}" for value in mean[1:4]), *(f"{value:.1f}%" for value in mean[4:])]
    report.append(f"| {device.removeprefix('latency_').removeprefix('throughput_')} | {' | '.join(figures)} |")
    assert mean[1] > mean[3]  # better than ranking by macs


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_this_device(runtime: str, report: list[str]) -> None:
    space = tiny.space()
    codes_ND = uniform(space, FITTED + UNSEEN, np.random.default_rng(0))
    counts = count(space, codes_ND, classes=10, channels=1)
    measured = []
    for row, candidate in enumerate(space.decode(codes_ND)):
        network = mobile.build(classes=10, channels=1, **keywords(candidate.architecture))
        measured.append(measure(network, channels=1, resolution=counts[row].resolution, runtime=runtime))
    latency_N = np.array([one.median_ms for one in measured])
    first = count(space, codes_ND[:FITTED], classes=10, channels=1)
    started = time.perf_counter()
    model = LatencyModel.fit(space, codes_ND[:FITTED], first, latency_N[:FITTED])
    seconds = time.perf_counter() - started
    spread = np.median([one.spread_ms / one.median_ms for one in measured])
    print(f"{runtime}: fit {seconds:.2f} s, {latency_N.min():.3f} to {latency_N.max():.3f} ms, spread {spread:.1%}")
    predicted_N = model.predict(codes_ND, counts)[FITTED:]
    report.append(
        _row(
            f"this CPU, {runtime} (interquartile range {spread:.0%} of a median)",
            predicted_N,
            latency_N[FITTED:],
            counts.macs_N[FITTED:],
        )
    )
    assert stats.spearmanr(predicted_N, latency_N[FITTED:])[0] > 0.7

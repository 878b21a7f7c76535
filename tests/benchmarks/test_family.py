"""The figures of docs/family.md: distilled or not and how, stored targets or live teacher.

Pairs share network, recipe, seed and data; intervals are Student's over the seeds.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import t as student_t

from spaces import components
from spaces.candidate import Candidate
from spaces.sampling import sobol
from trainables.counting.statistics import count
from trainables.data.fashion_mnist import DEBIAN
from trainables.data.sources import load_source
from trainables.final import jobs as final
from trainables.final.jobs import FinalJob, network_of
from trainables.splits import Images, Splits
from trainables.training.features import scores

pytestmark = pytest.mark.benchmark
SEEDS = 5
DATA: dict[str, tuple[dict[str, Any], int, int]] = {
    "digits": ({"validation": 0.3}, 8, 10),
    "fashion_mnist": ({"train_images": 3750, "test_images": 2000}, 14, 5),
}


def networks(resolution: int) -> tuple[Candidate, Candidate]:
    """The largest and the smallest of 64 candidates below a limit of depth, with one recipe: the largest one's."""
    space = components.load(components.SPACES, "tiny").space()
    sides = [side for side in space.architecture["resolution"].values if isinstance(side, int)]
    nearest = min(sides, key=lambda side: abs(side - resolution))
    space = space.restrict(
        {"architecture.resolution": [nearest], "architecture.depth.0": [1], "architecture.depth.1": [1]}
    )
    codes = sobol(space, 64, 0)
    macs = count(space, codes, classes=10, channels=1).costs()["macs"]
    order = np.argsort(macs)
    large, small = space.decode(codes[order[[-8, 8]]])
    return large, replace(small, recipe=large.recipe)


def right(network: object, images: Images) -> float:
    return float((scores(network, images).argmax(1).numpy() == images.label_N).mean())  # type: ignore[arg-type]


def interval(pairs: Sequence[float]) -> str:
    mean, half = float(np.mean(pairs)), float(np.std(pairs, ddof=1)) * student_t.ppf(0.975, len(pairs) - 1)
    return f"{100 * mean:+.2f} [{100 * (mean - half / math.sqrt(len(pairs))):+.2f}, " + (
        f"{100 * (mean + half / math.sqrt(len(pairs))):+.2f}]"
    )


def train(job: FinalJob, splits: Splits, folder: Path) -> tuple[float, float]:
    """Test accuracy and seconds."""
    began = time.monotonic()
    list(final.train(job, splits, folder))
    return right(network_of(job, splits, folder), splits.test), time.monotonic() - began


@pytest.mark.parametrize("whole_space", [False, True], ids=["the teacher above", "a large teacher"])
def test_time_that_stored_targets_save(tmp_path: Path, whole_space: bool) -> None:
    """Processor seconds of one thread, so that other work on the machine counts little; each seed in another order."""
    torch.set_num_threads(1)
    keywords, resolution, epochs = DATA["digits"]
    splits = load_source("digits", keywords)
    large, small = networks(resolution)
    space = components.load(components.SPACES, "tiny").space()
    if whole_space:
        codes = sobol(space, 64, 0)
        largest = int(np.argmax(count(space, codes, classes=10, channels=1).costs()["macs"]))
        large = replace(space.decode(codes[[largest]])[0], recipe=large.recipe)
    rows = []
    for seed in range(SEEDS):
        # One epoch: how well it teaches changes no time.
        teacher = FinalJob(name=f"teacher-{seed}", candidate=large, epochs=1, seed=seed)
        list(final.train(teacher, splits, tmp_path))
        taught: dict[str, Any] = {"candidate": small, "epochs": epochs, "seed": seed, "teachers": (teacher,)}
        jobs = {
            "alone": FinalJob(name=f"alone-{seed}", candidate=small, epochs=epochs, seed=seed),
            "live": FinalJob(name=f"live-{seed}", **taught),
            "writing": FinalJob(name=f"writing-{seed}", **taught, top_k=10),
            "reading": FinalJob(name=f"reading-{seed}", **taught, top_k=10),
        }
        order = [*np.random.default_rng(seed).permutation(["alone", "live", "writing"]).tolist(), "reading"]
        row = {}
        for name in order:
            began = time.process_time()
            list(final.train(jobs[name], splits, tmp_path))
            row[name] = time.process_time() - began
        rows.append(row)
        print({name: round(seconds, 2) for name, seconds in row.items()}, flush=True)
    macs = count(space, space.encode([large, small]), classes=10, channels=1).costs()["macs"]
    print(f"\nteacher {macs[0]:,.0f} macs, pupil {macs[1]:,.0f}; {epochs} epochs of {len(splits.train)} images")
    for one, other in (("writing", "live"), ("reading", "live"), ("reading", "alone"), ("live", "alone")):
        logs = np.log([row[one] / row[other] for row in rows])
        half = student_t.ppf(0.975, SEEDS - 1) * logs.std(ddof=1) / math.sqrt(SEEDS)
        low, mean, high = np.exp([logs.mean() - half, logs.mean(), logs.mean() + half])
        print(f"{one} / {other}: {mean:.3f} [{low:.3f}, {high:.3f}]")
    size = sum(file.stat().st_size for file in (tmp_path / "targets").rglob("*") if file.is_file())
    views = SEEDS * epochs * len(splits.train)
    print(f"{size / views:.1f} bytes a view, {size / SEEDS / len(splits.train):.0f} an image over {epochs} epochs")


@pytest.mark.parametrize("source", sorted(DATA))
def test_what_teaching_brings(source: str, tmp_path: Path) -> None:
    keywords, resolution, epochs = DATA[source]
    if source == "fashion_mnist" and not Path(DEBIAN).is_dir():
        pytest.skip("Debian's dataset-fashion-mnist is not installed")
    splits = load_source(source, keywords)
    large, small = networks(resolution)
    rows = []
    for seed in range(SEEDS):
        teacher = FinalJob(name=f"teacher-{seed}", candidate=large, epochs=epochs, seed=seed)
        taught: dict[str, Any] = {"candidate": small, "epochs": epochs, "seed": seed, "teachers": (teacher,)}
        alone = FinalJob(name=f"alone-{seed}", candidate=small, epochs=epochs, seed=seed)
        live = FinalJob(name=f"live-{seed}", **taught)
        first = FinalJob(name=f"first-{seed}", **taught, top_k=10)
        again = FinalJob(name=f"again-{seed}", **taught, top_k=10)
        few = FinalJob(name=f"few-{seed}", **taught, top_k=3)
        jobs = (teacher, alone, live, first, again, few)
        row = {job.name.partition("-")[0]: train(job, splits, tmp_path) for job in jobs}
        assert row["first"][0] == row["again"][0]
        rows.append(row)
        print({name: (round(value[0], 4), round(value[1], 1)) for name, value in row.items()}, flush=True)
    size = sum(file.stat().st_size for file in (tmp_path / "targets").glob("*-10/*.npy"))
    print(f"\n{source}: {len(splits.train)} training images, {epochs} epochs, {SEEDS} seeds, percentage points")
    for name, one, other in (
        ("distilled - labels alone", "live", "alone"), ("stored, all classes - live", "first", "live"),
        ("stored, 3 of 10 classes - live", "few", "live"),
    ):  # fmt: skip
        print(f"{name}: {interval([row[one][0] - row[other][0] for row in rows])}")
    for name in rows[0]:
        accuracy, seconds = (float(np.median([row[name][part] for row in rows])) for part in (0, 1))
        print(f"{name}: median accuracy {accuracy:.4f}, {seconds:.1f} s")
    views = SEEDS * epochs * len(splits.train)
    print(f"targets of all classes: {size / SEEDS / 1e6:.2f} MB a training, {size / views:.0f} bytes a view")


OBJECTIVES = ("distillation", "jensen_shannon", "standardised", "dist", "feature_distillation")


def test_which_divergence_teaches_best_beside_labels(tmp_path: Path) -> None:
    """On digits, each objective with its own defaults: 0.8 of the divergence and 0.2 of the labels."""
    epochs = 10
    torch.set_num_threads(1)
    keywords, resolution, _ = DATA["digits"]
    splits = load_source("digits", keywords)
    large, small = networks(resolution)
    rows = []
    for seed in range(SEEDS):
        teacher = FinalJob(name=f"teacher-{seed}", candidate=large, epochs=epochs, seed=seed)
        alone = FinalJob(name=f"alone-{seed}", candidate=small, epochs=epochs, seed=seed)
        taught = [
            replace(alone, name=f"{objective}-{seed}", teachers=(teacher,), objective=objective)
            for objective in OBJECTIVES
        ]
        rows.append({job.name.partition("-")[0]: train(job, splits, tmp_path)[0] for job in (teacher, alone, *taught)})
        print({name: round(accuracy, 4) for name, accuracy in rows[-1].items()}, flush=True)
    print(f"\n{len(splits.train)} training images, {epochs} epochs, {SEEDS} seeds, percentage points")
    for name in rows[0]:
        print(f"{name}: mean accuracy {np.mean([row[name] for row in rows]):.4f}")
    for objective in OBJECTIVES:
        for other in ("alone", "distillation"):
            if objective != other:
                print(f"{objective} - {other}: {interval([row[objective] - row[other] for row in rows])}")

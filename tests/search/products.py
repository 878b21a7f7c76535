"""Small things that the tests of the product share: a network, a member, the records of a run."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from search.family import export as exporting
from search.family.card import Provenance
from search.family.comparison import Comparison, Examined, compare
from search.family.export import export_member
from search.family.folder import InputSpec, Runner
from search.family.members import COLUMNS, Member
from search.family.references import TrainedReference
from search.files import check_sums
from search.record.trial import Trial
from search.report import page
from search.report.evidence import Evidence
from spaces.candidate import Candidate
from trainables.counting.counts import Statistics
from trainables.counting.times import Latency
from trainables.decoding import Decoding
from trainables.job import Report
from trainables.preprocessing import Preprocessing, View


@contextmanager
def without_graphs() -> Iterator[None]:
    """Members are handed over with empty graphs, for tests of something else: writing them takes most of that time."""

    def write(model: nn.Module, spec: InputSpec, folder: Path) -> None:
        for name in ("model.onnx", "model.pt2"):
            (folder / name).touch()

    timed = Latency(median_ms=1.0, spread_ms=0.0, runtime="none", threads=1, batch=1, repeats=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "write_graphs", write)
        patch.setattr(exporting, "compare", lambda *_: {"onnx": 0.0, "pt2": 0.0})
        patch.setattr(exporting, "latencies_of", lambda _: tuple(replace(timed, batch=n) for n, *_ in exporting.TIMED))
        yield


@contextmanager
def without_pictures() -> Iterator[None]:
    """Reports are written with empty pictures, for tests of something else: drawing them takes most of that time."""

    def save(evidence: Evidence, title: str, folder: Path) -> None:
        for name in page.PICTURES:
            (folder / name).touch()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "svg", lambda *_: "<svg></svg>")
        patch.setattr(page, "save_slide", save)
        yield


def spec_of(
    side: int, resolution: int, mean: tuple[float, ...], std: tuple[float, ...], classes: Sequence[str], **view: Any
) -> InputSpec:
    """Of a member whose images are stored with a side and seen at a resolution."""
    preprocessing = Preprocessing(
        decoding=Decoding(side=side, channels=len(mean)), mean=mean, std=std, view=View(resolution=resolution, **view)
    )
    return InputSpec(preprocessing=preprocessing, classes=tuple(classes))


SPEC = spec_of(8, 12, (0.3,), (0.4,), "0123456789")
PROVENANCE = Provenance(
    run="toy", data="digits", images={"train": 100, "test": 20}, training={"epochs": 3}, gaps=("A toy.",)
)


def candidate(**recipe: Any) -> Candidate:
    return Candidate(
        backbone="mobile", objective="supervised", architecture={"depth.0": 2, "resolution": 12}, recipe=recipe
    )


def member(name: str = "member-1", **changes: Any) -> Member:
    values: dict[str, Any] = {
        "name": name,
        "candidate": candidate(**{"optimizer.name": "sgd", "optimizer.lr.sgd": 0.1}),
        "macs": 1000,
        "params": 200,
        "activations": 50,
        "resolution": 12,
        "search_accuracy": 0.9,
    }
    return Member(**{**values, **changes})


REFERENCES = tuple(
    TrainedReference(
        name=f"by hand, {macs}",
        family="by hand",
        candidate=candidate(),
        macs=macs,
        params=macs // 10,
        activations=macs // 5,
        search_accuracy=accuracy,
        test_accuracy=accuracy,
    )
    for macs, accuracy in ((900, 0.6), (2000, 0.75), (4000, 0.9))
)


def beside_references(accuracy: float, macs: int) -> Comparison | None:
    """A network of that test accuracy, on 200 images, beside ``REFERENCES``."""
    networks = [("member", macs, accuracy), *((one.name, one.macs, one.test_accuracy) for one in REFERENCES)]
    network, *references = (
        Examined(name=name, pair=name, macs=macs, right_N=np.arange(200) < 200 * share, search_accuracy=share)
        for name, macs, share in networks
    )
    return compare(network, references, 1.5 * macs)


def network(channels: int = 1, classes: int = 10) -> nn.Module:
    """Convolution, batch norm with statistics of its own, pooling, linear; seeded."""
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(channels, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.Hardswish(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(8, classes),
    )
    with torch.no_grad():
        layers(torch.randn(32, channels, 12, 12))
    return layers.eval()


def export(folder: Path, member: Member, model: nn.Module | None = None, spec: InputSpec = SPEC) -> None:
    """Write a member's folder, with its latency as it stands in the member."""
    export_member(model or network(), member.candidate, spec, folder, lambda _: member, PROVENANCE)


def load_weights(folder: Path) -> dict[str, Tensor]:
    """The weights of an exported member, after checking the folder's checksums."""
    check_sums(folder)
    weights: dict[str, Tensor] = load_file(folder / "model.safetensors")
    return weights


def accuracy(run: Runner, images: NDArray[np.float32], labels: NDArray[np.int64], batch: int = 256) -> float:
    """Share of images whose highest score is that of their label."""
    parts = [run(images[start : start + batch]).argmax(axis=1) for start in range(0, len(images), batch)]
    return float((np.concatenate(parts) == labels).mean())


def load_table(folder: Path) -> pd.DataFrame:
    """``family.csv``."""
    table = pd.read_csv(folder / "family.csv")
    assert tuple(table.columns) == COLUMNS
    return table


def records(count: int = 24, seed: int = 0) -> list[Trial]:
    """Trials whose accuracy grows with macs and falls with the distance of the learning rate from 0.1."""
    rng = np.random.default_rng(seed)
    trials = []
    for number in range(count):
        depth, lr = int(rng.integers(1, 5)), float(rng.choice([0.01, 0.03, 0.1, 0.3]))
        optimizer = str(rng.choice(["sgd", "adamw"]))
        failed = number == count - 1
        epochs = 3 + number % 5
        final = 0.5 + 0.1 * depth - 0.1 * abs(np.log10(lr) + 1) + 0.01 * float(rng.normal())
        reports = tuple(
            Report(
                epoch=epoch,
                accuracy=float(np.clip(final * (1 - 0.5**epoch), 0, 1)),
                loss=2.0 * 0.7**epoch,
                seconds=1.5 * epoch / epochs,
            )
            for epoch in range(1, epochs + 1)
        )
        resolution = int(rng.choice([8, 12, 16]))
        trials.append(
            Trial(
                number=number,
                purpose="search",
                state="fail" if failed else "pruned" if number % 4 == 3 else "complete",
                round=number // 8,
                candidate=Candidate(
                    backbone="mobile",
                    objective="supervised",
                    architecture={"depth.0": depth, "resolution": resolution},
                    recipe={"optimizer.name": optimizer, f"optimizer.lr.{optimizer}": lr},
                ),
                codes_D=np.empty(0, dtype=np.int16),
                statistics=Statistics(
                    macs=1000 * depth + number, params=50 * depth, activations=90 * depth, resolution=resolution
                ),
                epochs=8,
                stop=epochs,
                seed=number,
                predicted=(final + 0.02, 0.05) if number >= 8 else None,
                reports=() if failed else reports,
                started=datetime.fromtimestamp(1_700_000_000.0 + number),
                message="the loss became NaN in epoch 1" if failed else None,
            )
        )
    return trials

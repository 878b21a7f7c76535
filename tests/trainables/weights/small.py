"""The smallest of timm's models with weights of one's own, and networks for the data of the tests."""

from pathlib import Path

import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from trainables.deploy import Deployable
from trainables.pretrained import Source

MODEL = "test_efficientnet"
"""0.4 million parameters; timm has it for its own tests, with weights of one tag."""
TAG = "r160_in1k"


def tensors(classes: int = 7, seed: int = 0) -> dict[str, Tensor]:
    """Weights of the model as another training may have left them."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        state = timm.create_model(MODEL, num_classes=classes).state_dict()
        return {
            name: torch.rand(value.shape) + 0.5 if value.is_floating_point() else value for name, value in state.items()
        }


def written(folder: Path, **changes: Tensor | None) -> Source:
    """A source of these weights with some tensors replaced, or left out."""
    content = {**tensors(), **{name.replace("__", "."): value for name, value in changes.items()}}
    path = folder / "weights.safetensors"
    save_file({name: value for name, value in content.items() if value is not None}, path)
    return Source(model=MODEL, path=str(path))


def network(classes: int = 3, channels: int = 3) -> Deployable:
    """The model for the data, with random weights of its own."""
    body = timm.create_model(MODEL, num_classes=classes, in_chans=channels)
    return Deployable(body, mean=[0.5] * channels, std=[0.5] * channels, resolution=32)

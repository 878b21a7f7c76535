"""An exported member's folder, read back: what images it takes, its network, its graph."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from search.files import check_sums, read_json
from spaces import components
from spaces.candidate import Candidate, keywords
from trainables.deploy import Deployable

Runner = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From images (N, C, H, W) in [0, 1] to scores (N, classes)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """The images that a member takes, and what its graph does to them.

    Attributes:
        channels: 1 or 3, or what the data source has.
        size: side of the square images as the data source stores them.
        resolution: side of the square image that the network sees.
        mean: mean of each channel, in [0, 1].
        std: standard deviation of each channel.
        classes: name of each class, in the order of the scores.
        interpolation: how they are resized for the network.
    """

    channels: int
    size: int
    resolution: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(f"{self.channels} channels need as many means and stds, given {self.mean} and {self.std}")


def load_spec(folder: Path) -> InputSpec:
    """The images that an exported member takes."""
    content: dict[str, Any] = read_json(folder / "input.json")
    tuples: dict[str, Any] = {name: tuple(content[name]) for name in ("mean", "std", "classes")}
    return InputSpec(**{**content, **tuples})


def load_network(folder: Path) -> Deployable:
    """The network of an exported member with its preprocessing, in evaluation mode on the CPU.

    Raises:
        search.files.DamagedFiles: the folder is not what was exported.
    """
    check_sums(folder)
    spec, candidate = load_spec(folder), Candidate.from_dict(read_json(folder / "candidate.json"))
    backbone = components.load(components.BACKBONES, candidate.backbone)
    with torch.random.fork_rng():  # the weights that it is built with are replaced
        network = backbone.build(classes=len(spec.classes), channels=spec.channels, **keywords(candidate.architecture))
    network.load_state_dict(load_file(folder / "model.safetensors"))
    return Deployable(
        network, mean=spec.mean, std=spec.std, resolution=spec.resolution, interpolation=spec.interpolation
    ).eval()


def onnx_runner(path: Path, threads: int = 1) -> Runner:
    """The graph of a file, by ONNX Runtime on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(image_NCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = session.run(["logits"], {"image": image_NCHW})[0]
        return scores

    return run

"""An exported member's folder, read back: what images it takes, its network, its graph."""

from collections.abc import Callable, Mapping
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
from spaces.mistake import Mistake
from trainables.adapt._shape import shape
from trainables.decoding import Decoding
from trainables.deploy import Deployable
from trainables.final.texts_folder import read_texts
from trainables.preprocessing import Preprocessing, View

Runner = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From images (N, C, H, W) in [0, 1] to scores (N, classes)."""


EVALUATIONS = "evaluations"
"""Where a member's folder has what was said of it later, which is no part of what was exported."""

FORMAT = 3
"""Version of ``input.json``. The first one had no file's way to the images, which was laid on black; the second one no
frames of clips, which were channels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """What a member takes and gives.

    Attributes:
        preprocessing: the way from a file to its network.
        classes: name of each class, in the order of the scores.
    """

    preprocessing: Preprocessing
    classes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"format": FORMAT, **self.preprocessing.to_dict(), "classes": list(self.classes)}


def load_spec(folder: Path) -> InputSpec:
    """What an exported member takes and gives.

    Raises:
        Mistake: it was exported by a later version.
    """
    content: dict[str, Any] = read_json(folder / "input.json")
    written = content.get("format", 1)
    if written not in range(1, FORMAT + 1):
        raise Mistake(f"{folder / 'input.json'} has format {written!r}; this version reads formats 1 to {FORMAT}")
    preprocessing = _of_format_1(content) if written == 1 else Preprocessing.from_dict(content)
    return InputSpec(preprocessing=preprocessing, classes=tuple(content["classes"]))


def _of_format_1(content: Mapping[str, Any]) -> Preprocessing:
    decoding = Decoding(side=content["size"], channels=content["channels"], background=(0, 0, 0))
    view = View(resolution=content["resolution"], interpolation=content.get("interpolation", "bilinear"))
    return Preprocessing(decoding=decoding, mean=tuple(content["mean"]), std=tuple(content["std"]), view=view)


def load_network(folder: Path) -> Deployable:
    """The network of an exported member with its preprocessing and text tower, in evaluation mode on the CPU.

    Raises:
        search.files.DamagedFiles: the folder is not what was exported.
    """
    check_sums(folder)
    spec, candidate = load_spec(folder), Candidate.from_dict(read_json(folder / "candidate.json"))
    backbone = components.load(components.BACKBONES, candidate.backbone)
    channels = spec.preprocessing.decoding.depth
    with torch.random.fork_rng():  # the weights that it is built with are replaced
        network = backbone.build(classes=len(spec.classes), channels=channels, **keywords(candidate.architecture))
        shape(network, candidate)
    network.load_state_dict(load_file(folder / "model.safetensors"))
    deployable, texts = Deployable.of(network, spec.preprocessing).eval(), read_texts(folder)
    return deployable if texts is None else deployable.beside(texts)


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

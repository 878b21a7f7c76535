"""Export a trained member: weights, ONNX, ``torch.export``, and a card, proven equal to the trained network.

The graphs take images as the data source stores them, in [0, 1], so that whoever runs them needs nothing but a runtime.
"""

import copy
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from search.family.members import Member
from search.files import check_sums, read_json, whole_folder, write_text
from search.words import named
from spaces.candidate import OPTIONAL, ROLES
from trainables.deploy import Deployable
from trainables.final.timm_folder import timm_config

log = logging.getLogger(__name__)

TOLERANCE = {"onnx": 1e-4, "pt2": 1e-5}
"""Largest allowed difference of a score, as a share of the largest score in the batch (of 1 if that is smaller)."""

BATCH_SIZES = (1, 2, 7)
"""Batches on which the files are compared with the trained network."""


class ExportMismatch(RuntimeError):
    """A written file does not compute what the trained network computes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """The images that a member takes.

    Attributes:
        channels: 1 or 3, or what the data source has.
        size: side of the square images as the data source stores them.
        mean: mean of each channel, in [0, 1].
        std: standard deviation of each channel.
        classes: name of each class, in the order of the scores.
        interpolation: how they are resized for the network.
    """

    channels: int
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(f"{self.channels} channels need as many means and stds, given {self.mean} and {self.std}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a member comes from, for its card.

    Attributes:
        run: name of the run.
        data: name of the data set.
        images: number of images of each split, by name.
        training: what the recipe does not say: epochs, teacher, batch size, ...
        gaps: limits and known gaps, a sentence each.
    """

    run: str
    data: str
    images: Mapping[str, int] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    gaps: tuple[str, ...] = ()


def export_member(
    network: nn.Module,
    member: Member,
    spec: InputSpec,
    folder: Path,
    provenance: Provenance,
    complete: Callable[[Path], None] | None = None,
) -> dict[str, float]:
    """Write a member's folder; it appears whole, with checksums, after all its files have passed the comparison.

    Args:
        network: the trained network in evaluation mode; maps normalised images at ``member.resolution`` to scores.
        member: what the card and ``candidate.json`` say.
        spec: the images that it takes.
        folder: replaced if it exists.
        provenance: data and training, for the card.
        complete: writes further files into the folder before it is sealed, such as what training it again needs.

    Returns:
        The largest difference between the trained network's scores and those of ``onnx`` and ``pt2``.

    Raises:
        ValueError: the network is in training mode, or does not give one score a class.
        ExportMismatch: a file computes something else.
    """
    model = _deployable(network, member, spec)
    with whole_folder(folder) as temporary:
        save_file(model.network.state_dict(), temporary / "model.safetensors", metadata={"format": "pt"})
        _write_graphs(model, spec, temporary)
        differences = compare(model, spec, temporary)
        write_text(temporary / "candidate.json", json.dumps(member.candidate.to_dict(), indent=1) + "\n")
        described = {**asdict(spec), "resolution": member.resolution}
        write_text(temporary / "input.json", json.dumps(described, indent=1) + "\n")
        timm = timm_config(
            model.network, member.candidate, channels=spec.channels, resolution=member.resolution,
            mean=spec.mean, std=spec.std, classes=spec.classes, interpolation=spec.interpolation,
        )  # fmt: skip
        write_text(temporary / "config.json", json.dumps(timm, indent=1) + "\n")
        write_text(temporary / "README.md", card(member, spec, provenance, differences))
        if complete is not None:
            complete(temporary)
    return differences


def _deployable(network: nn.Module, member: Member, spec: InputSpec) -> Deployable:
    training = [name or "the network itself" for name, module in network.named_modules() if module.training]
    if training:
        raise ValueError(f"export needs a network in evaluation mode (call eval()); {training[0]} is in training mode")
    model = Deployable(
        copy.deepcopy(network).cpu(),
        mean=spec.mean,
        std=spec.std,
        resolution=member.resolution,
        interpolation=spec.interpolation,
    ).eval()
    with torch.no_grad():
        shape = tuple(model(_images(spec, 2)).shape)
    if shape != (2, len(spec.classes)):
        raise ValueError(
            f"two images need scores of shape (2, {len(spec.classes)}), one a class; {member.name} gave {shape}"
        )
    return model


def _images(spec: InputSpec, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.rand(count, spec.channels, spec.size, spec.size, generator=generator)


@contextmanager
def _warnings_to_log() -> Iterator[None]:
    """The exporters warn about their own deprecations, which a user can do nothing about."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        log.debug("exporter: %s", warning.message)


def _write_graphs(model: Deployable, spec: InputSpec, folder: Path) -> None:
    example = (_images(spec, 2),)
    shapes = ({0: torch.export.Dim("batch")},)
    with _warnings_to_log(), torch.no_grad():
        program = torch.export.export(model, example, dynamic_shapes=shapes)
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)  # paths of this machine's files are nobody else's business
        torch.export.save(program, folder / "model.pt2")
        graph = torch.onnx.export(
            program, example, input_names=["image"], output_names=["logits"], dynamic_shapes=shapes,
            dynamo=True, verbose=False,
        )  # fmt: skip
        if graph is None:
            raise ExportMismatch("the ONNX exporter returned nothing")
        ClearMetadataAndDocStringPass()(graph.model)
        graph.save(folder / "model.onnx", external_data=False)


def compare(model: nn.Module, spec: InputSpec, folder: Path) -> dict[str, float]:
    """Compare the files of a folder with a model on batches of ``BATCH_SIZES`` random images.

    Returns:
        The largest absolute difference of a score, by kind of file.

    Raises:
        ExportMismatch: a difference beyond ``TOLERANCE``, or shapes that differ; the message names file and batch.
    """
    runners = {"onnx": onnx_runner(folder / "model.onnx"), "pt2": _program_runner(folder / "model.pt2")}
    worst = dict.fromkeys(runners, 0.0)
    for count in BATCH_SIZES:
        images = _images(spec, count)
        with torch.no_grad():
            expected = model(images).numpy()
        for kind, run in runners.items():
            given = run(images.numpy())
            if given.shape != expected.shape:
                raise ExportMismatch(f"model.{kind} gives shape {given.shape} for {count} images, not {expected.shape}")
            difference = float(np.abs(given - expected).max())
            allowed = TOLERANCE[kind] * max(1.0, float(np.abs(expected).max()))
            if not difference <= allowed:
                raise ExportMismatch(
                    f"model.{kind} differs from the trained network by {difference:.2g} on a batch of {count}; "
                    f"allowed are {allowed:.2g}"
                )
            worst[kind] = max(worst[kind], difference)
    return worst


Runner = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def onnx_runner(path: Path, threads: int = 1) -> Runner:
    """A function from images (N, C, H, W) in [0, 1] to scores (N, classes), by ONNX Runtime on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(image_NCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = session.run(["logits"], {"image": image_NCHW})[0]
        return scores

    return run


def _program_runner(path: Path) -> Runner:
    # A pt2 archive can hold pickled objects; this one was written a moment ago, by this process.
    with _warnings_to_log():
        module = torch.export.load(path).module()

    def run(image_NCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            scores: NDArray[np.float32] = module(torch.from_numpy(image_NCHW)).numpy()
        return scores

    return run


def accuracy(run: Runner, images: NDArray[np.float32], labels: NDArray[np.integer[Any]], batch: int = 256) -> float:
    """Share of images whose highest score is that of their label."""
    parts = [run(images[start : start + batch]).argmax(axis=1) for start in range(0, len(images), batch)]
    return float((np.concatenate(parts) == labels).mean())


def load_weights(folder: Path) -> dict[str, Tensor]:
    """The weights of an exported member, after checking the folder's checksums.

    Raises:
        search.files.DamagedFiles: the folder is not what was exported.
    """
    check_sums(folder)
    weights: dict[str, Tensor] = load_file(folder / "model.safetensors")
    return weights


def load_spec(folder: Path) -> tuple[InputSpec, int]:
    """The images that an exported member takes, and the resolution that its network sees."""
    given = read_json(folder / "input.json")
    resolution = int(given.pop("resolution"))
    tuples: dict[str, Any] = {name: tuple(given[name]) for name in ("mean", "std", "classes")}
    return InputSpec(**{**given, **tuples}), resolution


def card(member: Member, spec: InputSpec, provenance: Provenance, differences: Mapping[str, float]) -> str:
    """The model card, in the Hugging Face format: YAML front matter, then Markdown."""
    gaps = list(provenance.gaps)
    if member.test_accuracy is None:
        gaps.append("The test split has not been read for this member.")
    elif member.seeds == 1:
        gaps.append("Trained once: the spread of the accuracy over trainings is unknown.")
    if member.latency_ms is None:
        gaps.append("Latency was not measured.")
    gaps.append("Accuracy on images from another source than the training data was not measured.")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # Markdown, not HTML
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template("card.md.j2").render(
        member=member,
        spec=spec,
        run=provenance.run,
        data=provenance.data,
        images=provenance.images,
        training=provenance.training,
        gaps=gaps,
        searched=named(role for role in ROLES if role not in OPTIONAL or getattr(member.candidate, role)),
        differences=differences,
        versions={name: version(name) for name in ("torch", "timm", "onnx")},
    )

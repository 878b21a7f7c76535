"""Export a trained member: weights, ONNX, ``torch.export``, and a card, proven equal to the trained network.

The graphs take images as the data source stores them, in [0, 1], so that whoever runs them needs nothing but a runtime.
"""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from search.family.card import Provenance, card
from search.family.folder import InputSpec, Runner, onnx_runner
from search.family.members import Member
from search.family.portable import predict_file, timm_file
from search.files import whole_folder, write_text
from spaces.candidate import Candidate
from trainables.counting.latency import device_name, measure_file
from trainables.counting.times import Latency
from trainables.deploy import Deployable
from trainables.final.graphs import program_of, warnings_to_log, write_onnx
from trainables.final.timm_folder import write_timm_folder

TOLERANCE = {"onnx": 1e-4, "pt2": 1e-5}
"""Largest allowed difference of a score, as a share of the largest score in the batch (of 1 if that is smaller)."""

BATCH_SIZES = (1, 2, 7)
"""Batches on which the files are compared with the trained network."""


TIMED = ((1, 10, 50), (8, 3, 15), (32, 2, 7))
"""Images in a pass, passes before the clock starts, and timed passes."""


class ExportMismatch(RuntimeError):
    """A written file does not compute what the trained network computes."""


def export_member(
    network: nn.Module,
    candidate: Candidate,
    spec: InputSpec,
    folder: Path,
    describe: Callable[[Latency], Member],
    provenance: Provenance,
    complete: Callable[[Path], None] | None = None,
) -> Member:
    """Write a member's folder; it appears whole, with checksums, after all its files have passed the comparison.

    Args:
        network: the trained network in evaluation mode; maps normalised images of its view to scores.
        candidate: what it was built from.
        spec: the images that it takes.
        folder: replaced if it exists.
        describe: makes the member, for its card, from the time of one image in the ONNX file that was written.
        provenance: data and training, for the card.
        complete: writes further files into the folder before it is sealed, such as what training it again needs.

    Raises:
        ValueError: the network is in training mode, or does not give one score a class.
        ExportMismatch: a file computes something else.
    """
    model = _deployable(network, spec)
    with whole_folder(folder) as temporary:
        write_timm_folder(model, spec.preprocessing.decoding, candidate, spec.classes, temporary)
        write_graphs(model, spec, temporary)
        write_text(temporary / "predict.py", predict_file())
        write_text(temporary / "nars_timm.py", timm_file())
        differences = compare(model, spec, temporary)
        _write_json(temporary / "candidate.json", candidate.to_dict())
        _write_json(temporary / "input.json", spec.to_dict())
        latencies = latencies_of(temporary / "model.onnx")
        member = describe(latencies[0])
        measured = replace(provenance, latencies=latencies, device=device_name())
        write_text(temporary / "README.md", card(member, spec, measured, differences))
        if complete is not None:
            complete(temporary)
    return member


def latencies_of(path: Path) -> tuple[Latency, ...]:
    """The time of an ONNX file for one image, and for batches of ``TIMED`` images, on this machine."""
    return tuple(measure_file(path, batch=batch, warm_up=warm_up, repeats=repeats) for batch, warm_up, repeats in TIMED)


def _write_json(path: Path, content: object) -> None:
    write_text(path, json.dumps(content, indent=1) + "\n")


def _deployable(network: nn.Module, spec: InputSpec) -> Deployable:
    training = [name or "the network itself" for name, module in network.named_modules() if module.training]
    if training:
        raise ValueError(f"export needs a network in evaluation mode (call eval()); {training[0]} is in training mode")
    model = Deployable.of(copy.deepcopy(network).cpu(), spec.preprocessing).eval()
    with torch.no_grad():
        shape = tuple(model(_images(spec, 2)).shape)
    if shape != (2, len(spec.classes)):
        raise ValueError(f"two images need scores of shape (2, {len(spec.classes)}), one a class; they are {shape}")
    return model


def _images(spec: InputSpec, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.rand(count, *spec.preprocessing.shape, generator=generator)


def write_graphs(model: Deployable, spec: InputSpec, folder: Path) -> None:
    """Write ``model.pt2`` and ``model.onnx``, for any number of images."""
    example = _images(spec, 2)
    program = program_of(model, example)
    with warnings_to_log():
        torch.export.save(program, folder / "model.pt2")
    write_onnx(program, example, folder / "model.onnx", takes="image", gives="logits")


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
            scores = run(images.numpy())
            if scores.shape != expected.shape:
                raise ExportMismatch(
                    f"model.{kind} gives shape {scores.shape} for {count} images, not {expected.shape}"
                )
            difference = float(np.abs(scores - expected).max())
            allowed = TOLERANCE[kind] * max(1.0, float(np.abs(expected).max()))
            if not difference <= allowed:
                raise ExportMismatch(
                    f"model.{kind} differs from the trained network by {difference:.2g} on a batch of {count}; "
                    f"allowed are {allowed:.2g}"
                )
            worst[kind] = max(worst[kind], difference)
    return worst


def _program_runner(path: Path) -> Runner:
    # A pt2 archive can hold pickled objects; this one was written a moment ago, by this process.
    with warnings_to_log():
        module = torch.export.load(path).module()

    def run(image_NCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            scores: NDArray[np.float32] = module(torch.from_numpy(image_NCHW)).numpy()
        return scores

    return run

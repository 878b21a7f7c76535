"""A member's model card: where it comes from, how well it does, what it costs, what is not known of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2

from search.family.comparison import wilson
from search.family.folder import InputSpec
from search.family.members import Member
from search.words import named
from spaces.candidate import OPTIONAL, ROLES
from trainables.counting.times import Latency


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a member comes from, for its card.

    Attributes:
        run: name of the run.
        data: name of the data set.
        images: number of images of each split, by name.
        training: what the recipe does not say: epochs, teacher, batch size, ...
        gaps: limits and known gaps, a sentence each.
        license: of the weights, by the hub's names.
        latencies: of the ONNX file, by batch size.
        device: that it was measured on.
    """

    run: str
    data: str
    images: Mapping[str, int] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    gaps: tuple[str, ...] = ()
    license: str = "unknown"
    latencies: tuple[Latency, ...] = ()
    device: str = ""


def card(member: Member, spec: InputSpec, provenance: Provenance, differences: Mapping[str, float]) -> str:
    """The model card, in the Hugging Face format: YAML front matter, then Markdown.

    Args:
        member: what is described.
        spec: the images that it takes.
        provenance: data and training.
        differences: the largest difference between the trained network's scores and those of ``onnx`` and ``pt2``.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # Markdown, not HTML
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["plain"] = plain
    return environment.get_template("card.md.j2").render(
        member=member,
        spec=spec,
        interval=_interval(member, provenance.images),
        license=provenance.license,
        latencies=provenance.latencies,
        device=provenance.device,
        run=provenance.run,
        data=provenance.data,
        images=provenance.images,
        training=provenance.training,
        gaps=[*provenance.gaps, *_gaps(member)],
        searched=named(role for role in ROLES if role not in OPTIONAL or getattr(member.candidate, role)),
        differences=differences,
        versions={name: version(name) for name in ("torch", "timm", "onnx")},
    )


def plain(text: object) -> str:
    """Text that Markdown and HTML show as it is: class names are people's."""
    return re.sub(r"([\\`*_{}\[\]<>()#|$~&!])", r"\\\1", " ".join(str(text).split()))


def _interval(member: Member, images: Mapping[str, int]) -> str:
    """Wilson's interval of the accuracy on the test images (1927)."""
    count = images.get("test", 0)
    if member.test_accuracy is None or not count:
        return ""
    low, high = wilson(member.test_accuracy, count)
    return f"{low:.3f} to {high:.3f} (95 %, {count} images)"


def _gaps(member: Member) -> list[str]:
    gaps = []
    if member.test_accuracy is None:
        gaps.append("The test split has not been read for this member.")
    elif member.seeds == 1:
        gaps.append("Trained once: the spread of the accuracy over trainings is unknown.")
    if member.latency_ms is None:
        gaps.append("Latency was not measured.")
    if member.was_busy:
        gaps.append("The machine did other work while latency was measured: its quartiles lie far apart (above).")
    gaps.append("Accuracy on images from another source than the training data was not measured.")
    return gaps

"""Grad-CAM pictures of a few test images for each member of a family."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import nn

from search.report.evidence import Evidence
from search.report.section import Section
from trainables.assess.gradcam import NoConvolution, gradcam
from trainables.splits import Images

ORDER = 100
TITLE = "Saliency maps"

TEXT = (
    "Grad-CAM of the predicted class on some test images: bright is where activations of the last map raised "
    "the score of that class. It shows where a network looked, not why it was right."
)


def section(evidence: Evidence) -> Section | None:
    """One row a member, one column an image."""
    if not evidence.networks:
        return None
    maps = {member: heatmaps(network, evidence.test) for member, network in evidence.networks.items()}
    maps = {member: row for member, row in maps.items() if row}
    if not maps:
        return Section(text="No member has a map with several positions that could be shown.")
    return Section(
        text=TEXT,
        figure=_draw(maps, evidence.classes),
        description="Grad-CAM of some test images for each member",
    )


@dataclass(frozen=True, kw_only=True)
class Heatmap:
    """One test image with what a member saw in it.

    Attributes:
        image_HWC: in [0, 1].
        map_HW: Grad-CAM of the predicted class, in [0, 1] by its own maximum.
        true, predicted: class numbers.
    """

    image_HWC: NDArray[np.float32]
    map_HW: NDArray[np.float32]
    true: int
    predicted: int


def heatmaps(network: nn.Module, images: Images, count: int = 6) -> list[Heatmap]:
    """Grad-CAM of evenly chosen images; none for a network without a map that has several positions."""
    rows_B = np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(np.int64)
    image_BCHW, label_B = images.batch(rows_B)
    with torch.no_grad():
        predicted_B = network(image_BCHW).argmax(1)
    try:
        map_BHW = gradcam(network, image_BCHW, predicted_B)
    except NoConvolution:
        return []
    map_BHW = map_BHW / map_BHW.amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)
    return [
        Heatmap(
            image_HWC=image_BCHW[row].permute(1, 2, 0).numpy(),
            map_HW=map_BHW[row].numpy(),
            true=int(label_B[row]),
            predicted=int(predicted_B[row]),
        )
        for row in range(len(rows_B))
    ]


def _draw(maps: Mapping[str, Sequence[Heatmap]], classes: Sequence[str]) -> Figure:
    """Above each image the prediction, with the truth where that differs."""
    columns = max(len(row) for row in maps.values())
    figure = Figure(figsize=(10, 1.9 * len(maps)), layout="constrained")
    axes = figure.subplots(len(maps), columns, squeeze=False)
    for (member, row), line in zip(maps.items(), axes, strict=True):
        for axis in line:
            axis.set_axis_off()
        for axis, heatmap in zip(line, row, strict=False):
            grey = heatmap.image_HWC.shape[2] == 1
            axis.imshow(heatmap.image_HWC[:, :, 0 if grey else slice(3)], cmap="gray", vmin=0, vmax=1)
            axis.imshow(heatmap.map_HW, cmap="inferno", alpha=0.5, vmin=0, vmax=1)
            predicted, true = classes[heatmap.predicted], classes[heatmap.true]
            axis.set_title(predicted if predicted == true else f"{predicted} (is {true})", fontsize=8)
        line[0].text(-0.1, 0.5, member, transform=line[0].transAxes, rotation=90, ha="right", va="center", fontsize=8)
    return figure

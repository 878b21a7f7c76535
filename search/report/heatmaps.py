"""Grad-CAM pictures of a few test images for each member of a family."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import nn

from search.report.gradcam import gradcam
from trainables.splits import Images


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
    """Grad-CAM of evenly chosen images; none for a network without a convolution that has several positions."""
    rows_B = np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(np.int64)
    image_BCHW, label_B = images.batch(rows_B)
    with torch.no_grad():
        predicted_B = network(image_BCHW).argmax(1)
    try:
        map_BHW = gradcam(network, image_BCHW, predicted_B)
    except ValueError:  # a network of attention or linear layers alone; the report says that there is no picture
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


def draw(found: Mapping[str, Sequence[Heatmap]], classes: Sequence[str]) -> Figure:
    """One row a member, one column an image; above it the prediction, with the truth where that differs."""
    columns = max(len(row) for row in found.values())
    figure = Figure(figsize=(10, 1.9 * len(found)), layout="constrained")
    axes = figure.subplots(len(found), columns, squeeze=False)
    for (name, row), line in zip(found.items(), axes, strict=True):
        for axis in line:
            axis.set_axis_off()
        for axis, one in zip(line, row, strict=False):
            grey = one.image_HWC.shape[2] == 1
            axis.imshow(one.image_HWC[:, :, 0] if grey else one.image_HWC[:, :, :3], cmap="gray", vmin=0, vmax=1)
            axis.imshow(one.map_HW, cmap="inferno", alpha=0.5, vmin=0, vmax=1)
            title = classes[one.predicted]
            axis.set_title(title if one.predicted == one.true else f"{title} (is {classes[one.true]})", fontsize=8)
        line[0].text(-0.1, 0.5, name, transform=line[0].transAxes, rotation=90, ha="right", va="center", fontsize=8)
    return figure

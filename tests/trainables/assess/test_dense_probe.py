"""A linear classifier at each place."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import jaccard_score
from torch import Tensor, nn

from trainables.assess.dense_probe import assess, intersection_over_union
from trainables.data import canvas
from trainables.deploy import Deployable
from trainables.splits import Images


class _Pixels(nn.Module):
    """Features of a place are its own pixel, and where it lies on a line."""

    num_prefix_tokens = 0

    def forward_features(self, x: Tensor) -> Tensor:
        return torch.cat([x, x**2], dim=1)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        return x.mean((2, 3))


def test_intersection_over_union_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    right, predicted = rng.integers(0, 4, 300), rng.integers(0, 5, 300)
    confusion_KK = np.zeros((5, 5))
    np.add.at(confusion_KK, (right, predicted), 1)
    ours = intersection_over_union(confusion_KK)
    assert np.allclose(ours[:4], jaccard_score(right, predicted, average=None, labels=range(4)))
    assert np.isnan(ours[4])  # nowhere is it the right one


def two_classes(images: Images) -> Images:
    """Whether a pixel is bright, and unknown in the first row."""
    segment_NHW = (images.image_NCHW[:][:, 0] >= canvas.INK).astype(np.int64)
    segment_NHW[:, 0] = -1
    return replace(images, fields={"segments": segment_NHW})


def test_what_a_pixel_tells_is_found_at_every_place() -> None:
    splits = canvas.load(images=60, side=16)
    parts: dict[str, Any] = {name: two_classes(getattr(splits, name)) for name in ("train", "validation", "test")}
    splits = replace(splits, **parts, classes=("dark", "bright"))
    network = Deployable(_Pixels(), mean=splits.mean, std=splits.std, resolution=16)
    measures = {(one.metric, one.part): one for one in assess(network, splits, known=40, places=400).measures}
    assert set(measures) == {("mean iou", ""), ("iou", "dark"), ("iou", "bright")}
    whole = measures["mean iou", ""]
    assert whole.value == pytest.approx(np.mean([measures["iou", name].value for name in ("dark", "bright")]))
    assert whole.value > 0.9

"""What frozen features know of places: a linear classifier at each of them (as DINOv2 and SigLIP are judged).

It is fitted to the features of single places of training images, which are enlarged to the size of the class maps; its
scores are enlarged for the images that are judged, which comes to the same.
"""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from trainables.assess import DRAWS, Assessment, Measure, bootstrapped, missing, some
from trainables.assess.linear_probe import classifier
from trainables.deploy import Deployable, evaluating
from trainables.maps import map_of
from trainables.splits import Images, Splits

PAPER = "https://arxiv.org/abs/2310.19909"
BETTER = {"mean iou": "high", "iou": "high"}
NEEDS = ("segments",)
SCORES = ("mean iou",)
TEXTS = False
IN_SEARCH = {"known": 200, "most": 200, "places": 1_000}


def assess(
    network: Deployable,
    splits: Splits,
    *,
    seed: int = 0,
    known: int = 500,
    most: int = 1_000,
    places: int = 4_000,
) -> Assessment:
    """Intersection over union of each class, over the pixels of all images, and their mean over the classes there are.

    Args:
        network: whose last map, or tokens by place, is read.
        splits: its data, with the field ``segments``: the classifier is fitted to training images.
        seed: of the places and of the bootstrap over images.
        known, most: images at most that it is fitted to, and judged by.
        places: that it is fitted to, of those that are known.
    """
    learnt, judged = some(splits.train, known), some(splits.test, most)
    right_MHW = judged.fields["segments"]
    count = max(int(part.fields["segments"].max(initial=0)) for part in (learnt, judged)) + 1
    names = [*splits.classes, *(f"class {row}" for row in range(len(splits.classes), count))]
    if count > len(splits.classes):
        names[len(splits.classes)] = "nothing"
    feature_PF, class_P = _places(network, learnt, places, seed)
    if len(set(class_P.tolist())) < 2:
        return Assessment(measures=(missing("mean iou", "", "training images with fewer than two classes in places"),))
    weight_KF, bias_K = _fitted(feature_PF, class_P, count)
    predicted_MHW = _predicted(network, judged, weight_KF, bias_K)
    return Assessment(measures=tuple(_measures(_confusions(right_MHW, predicted_MHW, count), names, seed)))


@torch.inference_mode()
def _maps(network: Deployable, images: Images) -> Iterator[tuple[Tensor, int]]:
    """Maps (B, F, h, w) of batches of images, on the CPU, and the row of the first image."""
    start = 0
    with evaluating(network):
        for batch in images.batches(64):
            yield map_of(network, batch.to(network.mean.device)).float().cpu(), start
            start += len(batch)


def _enlarged(map_BFhw: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(map_BFhw, size=size, mode="bilinear", align_corners=False)


def _places(network: Deployable, images: Images, most: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Features (P, F) and classes (P,) of places drawn from all those that are known, by image so that none is left."""
    segment_NHW = images.fields["segments"]
    per_image = max(1, most // len(images))
    features, classes = [], []
    for map_BFhw, start in _maps(network, images):
        large_BFHW = _enlarged(map_BFhw, segment_NHW.shape[1:])
        for row, large_FHW in enumerate(large_BFHW, start=start):
            known = np.flatnonzero(segment_NHW[row] >= 0)
            generator = np.random.default_rng([seed, row])
            drawn = generator.permutation(known)[:per_image]
            features.append(large_FHW.flatten(1)[:, torch.from_numpy(drawn)].T)
            classes.append(segment_NHW[row].ravel()[drawn])
    return torch.cat(features).double().numpy(), np.concatenate(classes)


def _fitted(feature_PF: NDArray[np.float64], class_P: NDArray[np.int64], count: int) -> tuple[Tensor, Tensor]:
    """Weights (K, F) and biases (K,) of logistic regression; a class without a place has a score of minus infinity."""
    probe = classifier()
    probe.fit(feature_PF, class_P)
    scaler, regression = probe[0], probe[1]
    own_KF, own_K = regression.coef_, regression.intercept_
    if len(own_K) == 1:  # of two classes scikit-learn keeps the second one's
        own_KF, own_K = np.concatenate([np.zeros_like(own_KF), own_KF]), np.concatenate([np.zeros(1), own_K])
    weight_KF, bias_K = np.zeros((count, feature_PF.shape[1])), np.full(count, -np.inf)
    weight_KF[regression.classes_] = own_KF / scaler.scale_
    bias_K[regression.classes_] = own_K - weight_KF[regression.classes_] @ scaler.mean_
    return torch.from_numpy(weight_KF).float(), torch.from_numpy(bias_K).float()


def _predicted(network: Deployable, images: Images, weight_KF: Tensor, bias_K: Tensor) -> NDArray[np.int64]:
    """The class at each place, (M, H, W)."""
    size = images.fields["segments"].shape[1:]
    score_BKHW = (
        _enlarged(torch.einsum("bfhw,kf->bkhw", map_BFhw, weight_KF), size) + bias_K[:, None, None]
        for map_BFhw, _ in _maps(network, images)
    )
    predicted_MHW: NDArray[np.int64] = torch.cat([scores.argmax(1) for scores in score_BKHW]).numpy()
    return predicted_MHW


def _confusions(right_MHW: NDArray[np.int64], predicted_MHW: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Places of each image by right and predicted class, (M, K, K); places that are not known are left out."""
    confusion_MKK = np.zeros((len(right_MHW), count, count), dtype=np.int64)
    image_P, *place_P2 = np.nonzero(right_MHW >= 0)
    here = (image_P, *place_P2)
    np.add.at(confusion_MKK, (image_P, right_MHW[here], predicted_MHW[here]), 1)
    return confusion_MKK


def intersection_over_union(confusion_KK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each class, from places by right and predicted class (..., K, K); not a number for those not there."""
    both = np.diagonal(confusion_KK, axis1=-2, axis2=-1).astype(np.float64)
    right, predicted = confusion_KK.sum(-1), confusion_KK.sum(-2)
    iou: NDArray[np.float64] = np.where(right > 0, both / np.maximum(right + predicted - both, 1), np.nan)
    return iou


def _measures(confusion_MKK: NDArray[np.int64], names: list[str], seed: int) -> Iterator[Measure]:
    images = len(confusion_MKK)
    often_DM = np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), size=DRAWS)
    drawn_DK = intersection_over_union(np.asarray(np.tensordot(often_DM, confusion_MKK, axes=1), dtype=np.float64))
    iou_K = intersection_over_union(np.asarray(confusion_MKK.sum(0), dtype=np.float64))
    yield bootstrapped("mean iou", "", float(np.nanmean(iou_K)), images, np.nanmean(drawn_DK, axis=1))
    for row, name in enumerate(names):
        shown = int((confusion_MKK[:, row].sum(1) > 0).sum())
        if not shown:
            continue
        value_D = drawn_DK[:, row][np.isfinite(drawn_DK[:, row])]
        yield bootstrapped("iou", name, float(iou_K[row]), shown, value_D)

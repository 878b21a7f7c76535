"""Frozen features at other sizes and without normalisation (Corley et al. 2023), beside features without a network.

Every cell of size x normalisation is the accuracy of nearest neighbours among features of the training images. What the
exported graph does itself is one of the cells; two baselines say how much of it needs no trained network: the mean,
spread, least and largest level of each channel, and random convolutions.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor
from torch.nn import functional

from trainables.assess import Assessment, Measure, missing, pooled, share, some
from trainables.deploy import Deployable
from trainables.splits import Images, Splits

PAPER = "https://arxiv.org/abs/2305.13456"
BETTER = {"neighbours": "high"}
NEEDS = ()
SCORES = ()
TEXTS = False
IN_SEARCH: dict[str, int] = {}

METRIC = "neighbours"


def assess(
    network: Deployable,
    splits: Splits,
    *,
    seed: int = 0,
    neighbours: int = 5,
    filters: int = 256,
    known: int = 5000,
    queries: int = 2000,
) -> Assessment:
    """The grid and the baselines.

    Args:
        network: whose pooled features are compared.
        splits: its data: neighbours are training images, those to classify are of the test split.
        seed: of the random convolutions.
        neighbours: that vote, one vote each, by Euclidean distance.
        filters: random 3 x 3 patches of noise; there are twice as many features.
        known, queries: images at most.
    """
    labelled, asked = some(splits.train, known), some(splits.test, queries)

    def judged(part: str, known_NF: Tensor, query_MF: Tensor) -> Measure:
        class_M = nearest(known_NF, labelled.label_N, query_MF, neighbours)
        return share(METRIC, class_M == asked.label_N, part)

    def cell(side: int, part: str, normalised: bool) -> Measure:
        other = seen_at(network, side, normalised)
        try:
            return judged(part, pooled(other, labelled), pooled(other, asked))
        except (RuntimeError, AssertionError, ValueError) as error:  # as networks of one size say it
            return missing(METRIC, part, error)

    baselines = {"no network, image statistics": statistics, "no network, random convolutions": random_convolutions}
    made = (judged(part, make(labelled, filters, seed), make(asked, filters, seed)) for part, make in baselines.items())
    cells = (
        cell(side, f"{side} px{note}, {'normalised' if normalised else 'not normalised'}", normalised)
        for side, note in sides(network, splits).items()
        for normalised in (True, False)
    )
    return Assessment(measures=(*cells, *made))


def sides(network: Deployable, splits: Splits) -> dict[int, str]:
    """Sides that are compared, in pixels, with a remark: stored, as trained, and twice that."""
    own, stored = network.resolution, splits.resolution
    remarks = {stored: " as stored", own: " as trained", 2 * own: ""}
    if own == stored:
        remarks[own] = " as stored and trained"
    return dict(sorted(remarks.items()))


def seen_at(network: Deployable, side: int, normalised: bool) -> Deployable:
    """The same network given images of another side, or levels in [0, 1] as they are."""
    mean, std = network.normalisation
    channels = len(mean)
    return Deployable(
        network.network,
        mean=mean if normalised else [0.0] * channels,
        std=std if normalised else [1.0] * channels,
        resolution=side,
        interpolation=network.interpolation,
        crop=network.view.crop,
    ).train(network.training)  # so that the network stays in its mode


def nearest(known_NF: Tensor, class_N: NDArray[np.int64], query_MF: Tensor, neighbours: int) -> NDArray[np.int64]:
    """The class that most of the nearest labelled features have, of equals the lowest number."""
    model = KNeighborsClassifier(min(neighbours, len(known_NF))).fit(known_NF.double().numpy(), class_N)
    predicted_M: NDArray[np.int64] = model.predict(query_MF.double().numpy())
    return predicted_M


def statistics(images: Images, filters: int, seed: int) -> Tensor:
    """Mean, standard deviation, minimum and maximum of each channel, shape (N, 4C)."""
    del filters, seed
    flat = [batch.flatten(2) for batch in images.batches()]
    parts = [torch.cat([x.mean(2), x.std(2, correction=0), x.amin(2), x.amax(2)], dim=1) for x in flat]
    return torch.cat(parts)


def random_convolutions(images: Images, filters: int, seed: int) -> Tensor:
    """Mean positive and negative responses to ``filters`` patches of Gaussian noise, shape (N, 2 filters)."""
    channels = images.image_NCHW.shape[1]
    generator = torch.Generator().manual_seed(seed)
    patch_FCHW = torch.randn(filters, channels, 3, 3, generator=generator)
    bias_F = torch.full((filters,), -1.0)

    def features(batch_BCHW: Tensor) -> Tensor:
        response_BFHW = functional.conv2d(batch_BCHW, patch_FCHW, bias_F)
        return torch.cat([response_BFHW.relu().mean((2, 3)), (-response_BFHW).relu().mean((2, 3))], dim=1)

    return torch.cat([features(batch) for batch in images.batches()])

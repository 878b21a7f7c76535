"""Accuracy where more than one class is right: hits and overlaps with sets of labels (Anzaku et al. 2024).

Where every image has one label all three figures are plain accuracy.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from trainables.assess import DRAWS, Assessment, Measure, bootstrapped, mean, missing, scores, share
from trainables.deploy import Deployable
from trainables.splits import Splits

PAPER = "https://arxiv.org/abs/2412.18409"
BETTER = {"hit": "high", "overlap": "high", "average over sizes": "high"}
NEEDS = ("labels",)
SCORES = ("hit", "overlap", "average over sizes")
TEXTS = False
IN_SEARCH: dict[str, int] = {}


def assess(network: Deployable, splits: Splits, *, seed: int = 0) -> Assessment:
    """Figures of all images with a label, and by the number of their labels.

    ``hit`` is the share of images whose best class is one of theirs (ReaL accuracy), ``overlap`` the mean share of an
    image's k labels among its k best classes, ``average over sizes`` the mean of ``overlap`` over groups of images
    with equally many labels (the paper's ASMA).

    Args:
        network: judged as it is deployed.
        splits: its data, with the field ``labels``.
        seed: of the bootstrap.
    """
    right_NK: NDArray[np.bool_] = splits.test.fields["labels"]
    labelled_N = right_NK.any(1)
    if not labelled_N.any():
        return Assessment(measures=tuple(missing(metric, "", "no image has a label") for metric in BETTER))
    score_NK = scores(network, splits.test.batches())[torch.from_numpy(labelled_N)]
    return Assessment(measures=tuple(_measures(score_NK, right_NK[labelled_N], seed)))


def _measures(score_NK: torch.Tensor, right_NK: NDArray[np.bool_], seed: int) -> list[Measure]:
    hit_N = right_NK[np.arange(len(right_NK)), score_NK.argmax(1).numpy()]
    overlap_N, size_N = overlaps(score_NK, right_NK), right_NK.sum(1)
    sizes = np.unique(size_N).tolist()
    parts = [f"{size} {'label' if size == 1 else 'labels'}" for size in sizes]
    return [
        share("hit", hit_N),
        mean("overlap", overlap_N, seed=seed),
        _by_size(overlap_N, size_N, sizes, seed),
        *(share("hit", hit_N[size_N == size], part) for size, part in zip(sizes, parts, strict=True)),
        *(mean("overlap", overlap_N[size_N == size], part, seed=seed) for size, part in zip(sizes, parts, strict=True)),
    ]


def overlaps(score_NK: torch.Tensor, right_NK: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of each image's k labels among its k classes of the largest scores, shape (N,)."""
    order_NK = score_NK.argsort(dim=1, descending=True, stable=True).numpy()
    size_N = right_NK.sum(1)
    among_NK = np.arange(right_NK.shape[1]) < size_N[:, None]
    hits_N: NDArray[np.float64] = (np.take_along_axis(right_NK, order_NK, axis=1) & among_NK).sum(1) / size_N
    return hits_N


def _by_size(overlap_N: NDArray[np.float64], size_N: NDArray[np.int64], sizes: list[int], seed: int) -> Measure:
    groups, generator = [overlap_N[size_N == size] for size in sizes], np.random.default_rng(seed)
    drawn_D = np.array(
        [
            np.mean([group[generator.integers(len(group), size=len(group))].mean() for group in groups])
            for _ in range(DRAWS)
        ]
    )
    value = float(np.mean([group.mean() for group in groups]))
    return bootstrapped("average over sizes", "", value, len(overlap_N), drawn_D)

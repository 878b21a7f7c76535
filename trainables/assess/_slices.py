"""Accuracy by slices of the images: each, the worst and the gap between the best and the worst."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainables.assess import DRAWS, Measure, bootstrapped, missing, share

BETTER = {"accuracy": "high", "worst": "high", "gap": "low", "gap by chance": "none"}


def sliced(
    right_N: NDArray[np.bool_], slice_N: NDArray[np.int64], names: Sequence[str], seed: int, least: int
) -> list[Measure]:
    """Measures of slices, those of all images first.

    The worst of several shares is lower, and their gap larger, than those of the truth, the more so the fewer images a
    slice has. ``gap by chance`` is the mean gap that slices of these sizes would have if all were alike.

    Args:
        right_N: whether the network is right.
        slice_N: number of each image's slice, -1 for an image of none.
        names: of the slices.
        seed: of the bootstrap.
        least: images of a slice that counts for the worst and the gap; smaller ones are reported, with their size.
    """
    count_G = np.bincount(slice_N[slice_N >= 0], minlength=len(names))
    right_G = np.bincount(slice_N[(slice_N >= 0) & right_N], minlength=len(names))
    parts = [
        share("accuracy", right_N[slice_N == row], name if count_G[row] >= least else f"{name} (too few to count)")
        for row, name in enumerate(names)
        if count_G[row]
    ]
    large_G = count_G >= least
    if large_G.sum() < 2:
        reason = f"fewer than two slices have {least} images"
        return [*(missing(metric, "", reason) for metric in ("worst", "gap")), *parts]
    return [*_summary(count_G[large_G], right_G[large_G], seed), *parts]


def _summary(count_G: NDArray[np.int64], right_G: NDArray[np.int64], seed: int) -> list[Measure]:
    generator, images = np.random.default_rng(seed), int(count_G.sum())
    share_G = right_G / count_G
    drawn_DG = generator.binomial(count_G, share_G, size=(DRAWS, len(count_G))) / count_G
    alike_DG = generator.binomial(count_G, right_G.sum() / images, size=(DRAWS, len(count_G))) / count_G
    return [
        bootstrapped("worst", "", float(share_G.min()), images, drawn_DG.min(1)),
        bootstrapped("gap", "", float(np.ptp(share_G)), images, np.ptp(drawn_DG, axis=1)),
        bootstrapped("gap by chance", "", float(np.ptp(alike_DG, axis=1).mean()), images, np.ptp(alike_DG, axis=1)),
    ]

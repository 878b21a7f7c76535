"""Accuracy on corrupted images, of nine kinds at five severities (after Hendrycks & Dietterich 2019).

Images are corrupted as they are stored, before the network's own normalisation and resizing. Intervals of means over
kinds and severities are of a bootstrap over images, since the corrupted forms of an image are no independent images.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from trainables.assess import Assessment, Measure, mean, scores, share, some
from trainables.assess._corruptions import KINDS, SEVERITIES, corrupted
from trainables.deploy import Deployable
from trainables.splits import Images, Splits

PAPER = "https://arxiv.org/abs/1903.12261"
BETTER = {"clean": "high", "accuracy": "high", "loss": "low"}
NEEDS = ()
SCORES = ("accuracy",)
TEXTS = False
IN_SEARCH = {"kinds": ("gaussian noise", "blur", "contrast", "occlusion"), "severities": (3,), "most": 500}


def assess(
    network: Deployable,
    splits: Splits,
    *,
    seed: int = 0,
    kinds: Sequence[str] = tuple(KINDS),
    severities: Sequence[int] = (1, 2, 3, 4, 5),
    most: int = 2_000,
) -> Assessment:
    """Accuracy without corruption, under each kind and severity and over all of them, and what corruption loses.

    Args:
        network: judged as it is deployed.
        splits: its data.
        seed: of the corruptions.
        kinds: of ``KINDS``.
        severities: 1 to 5.
        most: images at most.

    Raises:
        ValueError: a kind or a severity that there is not.
    """
    if unknown := [
        *(kind for kind in kinds if kind not in KINDS),
        *(one for one in severities if one not in SEVERITIES),
    ]:
        raise ValueError(f"there is no corruption {unknown[0]!r}: kinds are {', '.join(KINDS)}, severities 1 to 5")
    images = some(splits.test, most)
    clean_N = scores(network, images.batches()).argmax(1).numpy() == images.label_N
    right_KSN = np.stack(
        [np.stack([_right(network, images, kind, severity, seed) for severity in severities]) for kind in kinds]
    )
    return Assessment(measures=tuple(_measures(clean_N, right_KSN, kinds, severities, seed)))


def _right(network: Deployable, images: Images, kind: str, severity: int, seed: int) -> NDArray[np.bool_]:
    batches = (corrupted(batch, kind, severity, seed) for batch in images.batches())
    right_N: NDArray[np.bool_] = scores(network, batches).argmax(1).eq(torch.from_numpy(images.label_N)).numpy()
    return right_N


def _measures(
    clean_N: NDArray[np.bool_],
    right_KSN: NDArray[np.bool_],
    kinds: Sequence[str],
    severities: Sequence[int],
    seed: int,
) -> list[Measure]:
    every_N = right_KSN.mean(axis=(0, 1))
    return [
        share("clean", clean_N),
        mean("accuracy", every_N, seed=seed),
        mean("loss", clean_N - every_N, seed=seed),
        *(
            mean("accuracy", right_KSN[:, row].mean(0), f"severity {one}", seed=seed)
            for row, one in enumerate(severities)
        ),
        *(mean("accuracy", right_KSN[row].mean(0), kind, seed=seed) for row, kind in enumerate(kinds)),
        *(
            share("accuracy", right_KSN[row, column], f"{kind}, severity {severity}")
            for row, kind in enumerate(kinds)
            for column, severity in enumerate(severities)
        ),
    ]

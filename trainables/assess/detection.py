"""Whether frozen features tell generated pictures from real ones, also after JPEG and resizing (ImagiNet, 2024).

A linear detector is fitted to features of training images. Where the data has a class ``real`` (layout ``imaginet``),
all other classes are generated ones; else the data's images are real, and as many fractals are drawn beside them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor
from torch.nn import functional

from spaces import components
from trainables.assess import DRAWS, Assessment, Measure, bootstrapped, missing, some
from trainables.assess._corruptions import jpeg
from trainables.assess.linear_probe import classifier
from trainables.deploy import Deployable, evaluating
from trainables.splits import Images, Splits

PAPER = "https://arxiv.org/abs/2407.20020"
BETTER = {"balanced accuracy": "high", "auc": "high"}
NEEDS = ()
SCORES = ("balanced accuracy", "auc")
TEXTS = False
IN_SEARCH = {"known": 300, "most": 300, "qualities": (), "shares": ()}

REAL = "real"
BATCH = 256

Change = Callable[[Tensor], Tensor]


def assess(
    network: Deployable,
    splits: Splits,
    *,
    seed: int = 0,
    generated: str = "fractals",
    known: int = 1_000,
    most: int = 1_000,
    qualities: Sequence[int] = (90, 70, 50),
    shares: Sequence[float] = (0.75, 0.5),
) -> Assessment:
    """Balanced accuracy, and area under the curve of the detector's score: .5 where features tell nothing.

    Args:
        network: whose pooled features are read.
        splits: its data.
        seed: of the generated pictures and of the bootstrap.
        generated: source of pretraining images that are told from the data's, where these have no class ``real``.
        known, most: images at most that the detector is fitted to, and judged by.
        qualities: of JPEG, 1 to 100, under which it is judged as well.
        shares: of the side, to which images are made smaller and then as large as before.
    """
    learnt = list(_labelled(splits, splits.train, known, generated, seed))
    judged = list(_labelled(splits, splits.test, most, generated, seed, after=known))
    right_N, right_M = (torch.cat([right_B for _, right_B in part]).numpy() for part in (learnt, judged))
    if any(len(set(right.tolist())) < 2 for right in (right_N, right_M)):
        return Assessment(measures=(missing("auc", "", "real and generated pictures are not both there"),))
    detector = classifier()
    detector.fit(_features(network, learnt, _as_it_is), right_N)
    measures: list[Measure] = []
    for part, change in _changes(qualities, shares).items():
        score_M = detector.decision_function(_features(network, judged, change))
        measures += _measures(score_M, right_M, part, seed)
        if not part and "slice" in splits.test.fields and REAL in splits.classes:
            slice_M = some(splits.test, most).fields["slice"]
            for number, name in enumerate(splits.slices):
                rows = np.flatnonzero(slice_M == number)
                if len(set(right_M[rows].tolist())) == 2:
                    measures += _measures(score_M[rows], right_M[rows], name, seed)
    return Assessment(measures=tuple(measures))


def _labelled(
    splits: Splits, images: Images, most: int, generated: str, seed: int, after: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of images in [0, 1] of eight bits, and whether each is a generated one."""
    chosen = some(images, most)
    if REAL in splits.classes:
        generated_N = torch.from_numpy(chosen.label_N != splits.classes.index(REAL))
        for number, batch in enumerate(chosen.batches(BATCH)):
            yield batch, generated_N[number * BATCH :][: len(batch)]
        return
    for batch in chosen.batches(BATCH):
        yield batch, torch.zeros(len(batch), dtype=torch.bool)
    made = components.load(components.PICTURES, generated).pictures(splits, seed=seed)
    row_N = np.random.default_rng([seed, 1]).permutation(len(made))[after : after + len(chosen)]
    for row_B in np.array_split(row_N, -(-len(row_N) // BATCH)):
        image_BCHW = made.batch(row_B)[0].mul(255).round().div(255)  # else the levels between tell them apart
        yield image_BCHW, torch.ones(len(image_BCHW), dtype=torch.bool)


def _as_it_is(image_BCHW: Tensor) -> Tensor:
    return image_BCHW


def _changes(qualities: Sequence[int], shares: Sequence[float]) -> Mapping[str, Change]:
    """What is done to images before they are judged, by the name of the part."""

    def compressed(quality: int) -> Change:
        return lambda image_BCHW: torch.from_numpy(np.stack([jpeg(one, quality) for one in image_BCHW.numpy()]))

    def resized(share: float) -> Change:
        def change(image_BCHW: Tensor) -> Tensor:
            side = image_BCHW.shape[-1]
            small = functional.interpolate(image_BCHW, max(1, round(side * share)), mode="bilinear", antialias=True)
            return functional.interpolate(small, side, mode="bilinear").clamp(0, 1).mul(255).round().div(255)

        return change

    return {
        "": _as_it_is,
        **{f"jpeg {quality}": compressed(quality) for quality in qualities},
        **{f"resized to {share:g}": resized(share) for share in shares},
    }


@torch.inference_mode()
def _features(network: Deployable, batches: Sequence[tuple[Tensor, Tensor]], change: Change) -> NDArray[np.float64]:
    device = network.mean.device
    with evaluating(network):
        pooled = [network.pooled(change(batch).to(device)).cpu() for batch, _ in batches]
    feature_NF: NDArray[np.float64] = torch.cat(pooled).double().numpy()
    return feature_NF


def _measures(score_M: NDArray[np.float64], right_M: NDArray[np.bool_], part: str, seed: int) -> list[Measure]:
    """Both figures, with intervals of a bootstrap over the images of each kind."""
    generator = np.random.default_rng(seed)
    real, generated = (np.flatnonzero(right_M == kind) for kind in (False, True))
    drawn_DM = np.concatenate([generator.choice(rows, (DRAWS, len(rows))) for rows in (real, generated)], axis=1)
    drawn_right_M = np.arange(len(right_M)) >= len(real)
    figures = {"balanced accuracy": balanced_accuracy, "auc": area_under_curve}
    return [
        bootstrapped(
            metric, part, float(figure(score_M, right_M)), len(score_M), figure(score_M[drawn_DM], drawn_right_M)
        )
        for metric, figure in figures.items()
    ]


def balanced_accuracy(score_DM: NDArray[np.float64], right_M: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean of the shares of generated pictures above 0 and of real ones that are not; of each row of scores."""
    above_DM = score_DM > 0
    mean_D: NDArray[np.float64] = above_DM[..., right_M].mean(-1) / 2 + (~above_DM[..., ~right_M]).mean(-1) / 2
    return mean_D


def area_under_curve(score_DM: NDArray[np.float64], right_M: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How often a generated picture has the higher score of it and a real one; ties count half (Mann & Whitney)."""
    generated = int(right_M.sum())
    sum_D = rankdata(score_DM, axis=-1)[..., right_M].sum(-1)
    area_D: NDArray[np.float64] = (sum_D - generated * (generated + 1) / 2) / (generated * (len(right_M) - generated))
    return area_D

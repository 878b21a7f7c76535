"""Retrieval: how often an image's text is among the nearest of all texts, and a text's image among the nearest images.

Texts that are the same are all right. Each kind of caption, such as a language, is searched by itself.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.assess import Assessment, Measure, mean, missing, share, some
from trainables.assess._reading import WITHOUT_TEXTS, directions_of_images, directions_of_tokens, texts_of
from trainables.deploy import Deployable
from trainables.language.tower import is_text
from trainables.splits import Splits

PAPER = "https://arxiv.org/abs/2103.00020"
NEAREST = {"recall_1": 1, "recall_5": 5, "recall_10": 10}
BETTER = dict.fromkeys(NEAREST, "high")
NEEDS = ("caption",)
SCORES = ("recall_1", "recall_5", "recall_10")
TEXTS = True
IN_SEARCH = {"most": 500}


def assess(network: Deployable, splits: Splits, *, seed: int = 0, most: int = 2_000) -> Assessment:
    """Recall at 1, 5 and 10, by kind of caption and in both directions, and the mean of these over the images.

    Args:
        network: that was pretrained with texts.
        splits: its data, with captions.
        seed: of the bootstrap of the mean.
        most: images at most.
    """
    texts, images = texts_of(network), some(splits.test, most)
    if texts is None:
        return _none(WITHOUT_TEXTS)
    image_NE = directions_of_images(network, texts, images)
    token_TNL = torch.from_numpy(images.fields["caption"].astype(np.int64)).transpose(0, 1)
    names = splits.captions or tuple(str(slot + 1) for slot in range(len(token_TNL)))
    measures: list[Measure] = []
    before_CN: list[NDArray[np.float64]] = []
    for name, token_NL in zip(names, token_TNL, strict=True):
        there_N = is_text(token_NL)
        if not there_N.any():
            measures.append(missing("recall_1", name, "no such caption"))
            continue
        cosine_MM = image_NE[there_N] @ directions_of_tokens(texts, token_NL[there_N]).T
        kind_M = torch.unique(token_NL[there_N], dim=0, return_inverse=True)[1]
        same_MM = kind_M[:, None] == kind_M
        for way, before_M in (
            ("texts of images", ranks(cosine_MM, same_MM)),
            ("images of texts", ranks(cosine_MM.T, same_MM)),
        ):
            measures += (share(metric, before_M < nearest, f"{name}: {way}") for metric, nearest in NEAREST.items())
            before_N = np.full(len(images), np.nan)
            before_N[there_N.numpy()] = before_M.numpy()
            before_CN.append(before_N)
    return Assessment(measures=(*(_whole(before_CN, seed) if before_CN else ()), *measures))


def _whole(before_CN: Sequence[NDArray[np.float64]], seed: int) -> Iterator[Measure]:
    """The mean of all, of which each image has one for every kind and direction."""
    rank_CN = np.array(before_CN)
    rank_CM = rank_CN[:, ~np.isnan(rank_CN).all(axis=0)]
    for metric, nearest in NEAREST.items():
        hit_CM = np.where(np.isnan(rank_CM), np.nan, rank_CM < nearest)
        yield mean(metric, np.nanmean(hit_CM, axis=0), seed=seed)


def _none(reason: str) -> Assessment:
    return Assessment(measures=(missing("recall_1", "", reason),))


def ranks(cosine_MN: Tensor, right_MN: Tensor) -> Tensor:
    """How many wrong ones are at least as near as the nearest right one, of each row."""
    best_M1 = cosine_MN.masked_fill(~right_MN, -torch.inf).amax(dim=1, keepdim=True)
    return ((cosine_MN >= best_M1) & ~right_MN).sum(dim=1)

"""Retrieval: how often an image's text is among the nearest of all texts, and a text's image among the nearest images.

Texts that are the same are all right. Each kind of caption, such as a language, is searched by itself.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from trainables.assess import Assessment, Measure, missing, share, some
from trainables.assess._reading import WITHOUT_TEXTS, directions_of_images, texts_of
from trainables.deploy import Deployable
from trainables.language.tower import is_text
from trainables.splits import Splits

PAPER = "https://arxiv.org/abs/2103.00020"
NEAREST = (1, 5, 10)
BETTER = {"recall_1": "high", "recall_5": "high", "recall_10": "high"}
NEEDS = ("caption",)
SCORES = ()
TEXTS = True
IN_SEARCH: dict[str, int] = {}


def assess(network: Deployable, splits: Splits, *, seed: int = 0, most: int = 2_000) -> Assessment:
    """Recall at 1, 5 and 10, by kind of caption and in both directions.

    Args:
        network: that was pretrained with texts.
        splits: its data, with captions.
        seed: nothing is drawn.
        most: images at most.
    """
    del seed
    texts, images = texts_of(network), some(splits.test, most)
    if texts is None:
        return _none(WITHOUT_TEXTS)
    image_NE = directions_of_images(network, texts, images)
    token_TNL = torch.from_numpy(images.fields["caption"].astype(np.int64)).transpose(0, 1)
    names = splits.captions or tuple(str(slot + 1) for slot in range(len(token_TNL)))
    measures: list[Measure] = []
    for name, token_NL in zip(names, token_TNL, strict=True):
        there_N = is_text(token_NL)
        if not there_N.any():
            measures.append(missing("recall_1", name, "no such caption"))
            continue
        with torch.inference_mode():
            text_ME = texts.of_tokens(token_NL[there_N])
        cosine_MM = image_NE[there_N] @ text_ME.T
        kind_M = torch.unique(token_NL[there_N], dim=0, return_inverse=True)[1]
        same_MM = kind_M[:, None] == kind_M
        measures += _recalls(cosine_MM, same_MM, f"{name}: texts of images")
        measures += _recalls(cosine_MM.T, same_MM, f"{name}: images of texts")
    return Assessment(measures=tuple(measures))


def _none(reason: str) -> Assessment:
    return Assessment(measures=(missing("recall_1", "", reason),))


def _recalls(cosine_MM: Tensor, right_MM: Tensor, part: str) -> Iterator[Measure]:
    before_M = ranks(cosine_MM, right_MM)
    for metric, nearest in zip(BETTER, NEAREST, strict=True):
        yield share(metric, before_M < nearest, part)


def ranks(cosine_MN: Tensor, right_MN: Tensor) -> Tensor:
    """How many wrong ones are at least as near as the nearest right one, of each row."""
    best_M1 = cosine_MN.masked_fill(~right_MN, -torch.inf).amax(dim=1, keepdim=True)
    return ((cosine_MN >= best_M1) & ~right_MN).sum(dim=1)

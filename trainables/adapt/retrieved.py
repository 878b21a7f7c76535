"""Images that captions name teach the classifier (REAL-Linear, Parashar et al. 2024): no label of the data is read.

Of the images that were pretrained on, those whose captions have one of a class's names are its training images. A
linear classifier on their directions begins as the names of the classes, and is mixed with these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trainables.adapt import zero_shot
from trainables.adapt._named import ByName, checked, named
from trainables.batches.fields import CAPTION, fields_of
from trainables.deploy import Deployable
from trainables.language.names import images_of, texts_of
from trainables.language.texts import Texts
from trainables.language.tower import is_text
from trainables.plan import Plan
from trainables.splits import Images, Pictures

PAPER = "https://arxiv.org/abs/2401.12425"
OWN_LOSS = True
FORM = None
READ_AT_ONCE = 4096
"""Images whose captions the text tower reads together."""


def adapt(
    plan: Plan,
    *,
    texts: Any,
    names: Sequence[str],
    synonyms: Mapping[str, Sequence[str]],
    pool: Pictures,
    most: int = 100,
    weight: float = 0.5,
    template: str = "{}",
) -> Plan:
    """Train a linear classifier on retrieved images; where no caption names a class, names alone are the classifier.

    Args:
        plan: with a network.
        texts: what a pretraining with captions has left.
        names: of the classes, as most captions have them.
        synonyms: all names of each class; their own where there are none.
        pool: images that were pretrained on, with their captions.
        most: images of a class, those whose captions are nearest to its name.
        weight: of the trained classifier; the rest is that of the names.
        template: text with a place for a name.

    Raises:
        ValueError: there is no text tower, it does not fit, or a value is out of range.
    """
    network, reader = checked(plan, texts, "retrieved")
    if most < 1 or not 0 <= weight <= 1:
        raise ValueError(f"adaptation.retrieved.most is at least 1 and weight in [0, 1], given {most} and {weight}")
    objective = _Retrieved(network, reader, names, template, weight)
    caption_NTL = fields_of(pool).get(CAPTION)
    row_M, class_M = (
        _none()
        if caption_NTL is None
        else retrieved(reader, caption_NTL, objective.zero_shot_KE, synonyms or {name: (name,) for name in names}, most)
    )
    if not len(row_M):
        return zero_shot.adapt(plan, texts=texts, names=names, template=template)
    return replace(named(plan, objective), pictures=Chosen.of(pool, row_M, class_M))


class _Retrieved(ByName):
    zero_shot_KE: Tensor

    def __init__(self, network: Deployable, texts: Texts, names: Sequence[str], template: str, weight: float) -> None:
        super().__init__(network, texts, names, template)
        with torch.no_grad():
            self.register_buffer("zero_shot_KE", texts.of_tokens(self.token_KL))
        self.head_KE = nn.Parameter(self.zero_shot_KE.clone())
        self._weight = weight

    def of_classes(self) -> Tensor:
        return self.head_KE

    def handed_on(self) -> Tensor:
        return self._weight * self.head_KE + (1 - self._weight) * self.zero_shot_KE


@torch.no_grad()
def retrieved(
    texts: Texts,
    caption_NTL: NDArray[np.uint16],
    class_KE: Tensor,
    synonyms: Mapping[str, Sequence[str]],
    most: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the images whose captions name a class, and which (M,), class by class, the nearest first.

    An image that several classes claim belongs to the one whose name its captions are nearest to.

    Args:
        texts: what reads the captions.
        caption_NTL: of all images.
        class_KE: directions of the names of the classes.
        synonyms: all names of each class.
        most: images of a class.
    """
    named_NK = images_of(texts_of(caption_NTL), synonyms)
    row_M = np.flatnonzero(named_NK.any(axis=1))
    if not len(row_M):
        return _none()
    nearest_MK = torch.cat(
        [
            _nearest(texts, caption_NTL[row_M[first : first + READ_AT_ONCE]], class_KE)
            for first in range(0, len(row_M), READ_AT_ONCE)
        ]
    ).numpy()
    nearest_MK[~named_NK[row_M]] = -np.inf
    class_M, cosine_M = nearest_MK.argmax(axis=1), nearest_MK.max(axis=1)
    order_M = np.lexsort((-cosine_M, class_M))
    rank_M = np.arange(len(order_M)) - np.searchsorted(class_M[order_M], class_M[order_M])
    chosen_M = order_M[rank_M < most]
    return row_M[chosen_M], class_M[chosen_M].astype(np.int64)


def _nearest(texts: Texts, caption_MTL: NDArray[np.uint16], class_KE: Tensor) -> Tensor:
    """Cosine of the nearest of each image's captions with each class, (M, K), on the CPU."""
    token_MTL = torch.from_numpy(caption_MTL.astype(np.int64)).to(class_KE.device)
    cosine_MTK = (texts.of_tokens(token_MTL.flatten(0, 1)) @ class_KE.T).reshape(*token_MTL.shape[:2], -1)
    nearest_MK: Tensor = cosine_MTK.masked_fill(~is_text(token_MTL)[:, :, None], -1.0).amax(dim=1).cpu()
    return nearest_MK


def _none() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Some rows of pictures, with class numbers of their own."""

    pictures: Pictures
    row_M: NDArray[np.int64]
    label_M: NDArray[np.int64]

    @classmethod
    def of(cls, pictures: Pictures, row_M: NDArray[np.int64], label_M: NDArray[np.int64]) -> Pictures:
        """As images where they are such, so that whatever reads these does."""
        if isinstance(pictures, Images):
            return Images(image_NCHW=pictures.take(row_M).image_NCHW, label_N=label_M)
        return cls(pictures, row_M, label_M)

    def __len__(self) -> int:
        return len(self.row_M)

    def batch(self, rows_B: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Images in [0, 1], float32 (B, C, H, W), and their class numbers (B,)."""
        return self.pictures.batch(self.row_M[rows_B])[0], torch.from_numpy(self.label_M[rows_B])

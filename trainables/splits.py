"""Images in memory (or mapped from disk), and their split into training, search-validation and test."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spaces.mistake import Mistake
from trainables.decoding import Decoding
from trainables.photographs import Photographs
from trainables.pretrained import Sources
from trainables.stored import Stored
from trainables.survey import Survey

if TYPE_CHECKING:
    from torch import Tensor  # at run time by those that make batches: data can be looked at without torch

MEASURED, MEASURED_DECODED = 10_000, 1_000
"""Training images at most whose channels are measured, where they are squares already and where they are decoded."""
MEASURED_VALUES = 1_000_000_000
"""Of such squares together, where they are large."""


class DataError(Mistake):
    """The data cannot be used; the message says what is wrong with it and what to do."""


class Pictures(Protocol):
    """What an epoch of training reads: images in memory, on disk, or made on the fly."""

    def __len__(self) -> int: ...

    def batch(self, rows_B: NDArray[np.int64]) -> "tuple[Tensor, Tensor]":
        """Images in [0, 1], float32 (B, C, H, W), and their class numbers (B,) or target probabilities (B, K)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """N labelled images.

    Attributes:
        image_NCHW: uint8, in memory or on disk; photographs are of any shape, and squares where an array is read.
        label_N: int64 class numbers.
        fields: what else is known of the images, by a name of ``trainables.batches.fields``; row n is image n's.
    """

    image_NCHW: NDArray[np.uint8] | Stored | Photographs
    label_N: NDArray[np.int64]
    fields: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.label_N)

    def batch(self, rows_B: NDArray[np.int64]) -> "tuple[Tensor, Tensor]":
        """Images in [0, 1], float32 (B, C, H, W), and their class numbers (B,)."""
        import torch

        image_BCHW = torch.from_numpy(np.ascontiguousarray(self.image_NCHW[rows_B]))
        return image_BCHW.float().div_(255.0), torch.from_numpy(self.label_N[rows_B])

    def batches(self, size: int = 256) -> "Iterator[Tensor]":
        """All images in order, without their labels, as ``batch`` gives them."""
        for start in range(0, len(self), size):
            yield self.batch(np.arange(start, min(start + size, len(self))))[0]

    def take(self, rows_B: NDArray[np.int64]) -> "Images":
        """Some of the images; those on disk stay there."""
        images = self.image_NCHW
        rows_BCHW = images[rows_B] if isinstance(images, np.ndarray) else images.take(rows_B)
        fields = {
            name: value_N[rows_B] if isinstance(value_N, np.ndarray) else value_N.take(rows_B)
            for name, value_N in self.fields.items()
        }
        return Images(image_NCHW=rows_BCHW, label_N=self.label_N[rows_B], fields=fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """The three parts of a data set. The search sees ``train`` and ``validation``; ``test`` is read once, at the end.

    Attributes:
        train: images to fit.
        validation: the search-validation images, whose accuracy guides every choice.
        test: images for the final figures of the family.
        classes: class names, in the order of the class numbers.
        mean: mean of each channel over the training images, in [0, 1].
        std: standard deviation of each channel over the training images.
        decoding: how a file becomes an image like these.
        survey: what the files were; None where the images come from none.
        weights: files of pretrained weights that trainings on these images may begin with.
        pool: all images to pretrain on, whose labels nobody reads, where there are more than those of ``train``; None
            where pretraining has the training images themselves.
        pools: further images to pretrain on, by the name that ``pretraining.source`` has for them; none has labels.
        captions: what each of an image's captions is (a language), in the order of the field ``caption``.
        slices: names of the values of the field ``slice``, where the images have it.
        synonyms: names of each class that captions may have, where the configuration gives some.
        called: of each class the name that most captions have, in the order of the classes; none without synonyms.
    """

    train: Images
    validation: Images
    test: Images
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    decoding: Decoding
    survey: Survey | None = None
    weights: Sources = field(default_factory=dict)
    pool: Pictures | None = None
    pools: Mapping[str, Pictures] = field(default_factory=dict)
    captions: tuple[str, ...] = ()
    slices: tuple[str, ...] = ()
    synonyms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    called: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What texts call the classes."""
        return self.called or self.classes

    @property
    def unlabelled(self) -> Pictures:
        """The images to pretrain on. Their number is the compute of an epoch, with or without pretraining."""
        return self.train if self.pool is None else self.pool

    @property
    def channels(self) -> int:
        return int(self.train.image_NCHW.shape[1])

    @property
    def resolution(self) -> int:
        return int(self.train.image_NCHW.shape[2])


@dataclass(frozen=True, slots=True)
class Joined:
    """Pictures of several parts, one after the other, without a copy; none has a class number that means anything."""

    parts: tuple[Pictures, ...]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def place(self, row: int) -> tuple[Pictures, int]:
        """The part that a row lies in, and its row there."""
        start_P = np.cumsum([0, *map(len, self.parts)])
        part = int(np.searchsorted(start_P, row, side="right")) - 1
        return self.parts[part], row - int(start_P[part])

    def batch(self, rows_B: NDArray[np.int64]) -> "tuple[Tensor, Tensor]":
        """Images in [0, 1], float32 (B, C, H, W), and zeros (B,)."""
        import torch

        start_P = np.cumsum([0, *map(len, self.parts)])
        part_B = np.searchsorted(start_P, rows_B, side="right") - 1
        present = np.unique(part_B)
        batches = [self.parts[part].batch(rows_B[part_B == part] - start_P[part])[0] for part in present]
        order_B = torch.from_numpy(np.argsort(np.argsort(part_B, kind="stable"), kind="stable"))
        return torch.cat(batches)[order_B], torch.zeros(len(rows_B), dtype=torch.int64)


def from_parts(
    train: Images,
    validation: Images,
    test: Images,
    classes: Sequence[str],
    *,
    decoding: Decoding | None = None,
    survey: Survey | None = None,
) -> Splits:
    """Put the parts together, with the channel statistics of (at most 10,000 of) the training images.

    Args:
        train, validation, test: the parts.
        classes: class names.
        decoding: how files become such images; by default the usual way to images of this size.
        survey: what the files were.

    Raises:
        DataError: fewer than two classes, or a part without images.
    """
    if len(classes) < 2:
        raise DataError(f"the data has {len(classes)} class ({', '.join(classes) or 'none'}); a classifier needs two")
    for name, part in (("training", train), ("search-validation", validation), ("test", test)):
        if not len(part):
            raise DataError(f"the {name} split has no images; add images or change the shares of the split")
    mean_C, std_C = _statistics(train.image_NCHW)
    return Splits(
        train=train,
        validation=validation,
        test=test,
        classes=tuple(classes),
        mean=tuple(round(float(value), 6) for value in mean_C),
        std=tuple(round(float(value), 6) for value in std_C),
        decoding=decoding or Decoding(side=train.image_NCHW.shape[2], channels=train.image_NCHW.shape[1]),
        survey=survey,
    )


def _statistics(
    image_NCHW: NDArray[np.uint8] | Stored | Photographs,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each channel, in [0, 1], of images evenly spaced."""
    most = MEASURED_DECODED
    if not isinstance(image_NCHW, Photographs):
        most = min(MEASURED, max(most, MEASURED_VALUES // math.prod(image_NCHW.shape[1:])))
    rows_N = np.linspace(0, len(image_NCHW) - 1, num=min(len(image_NCHW), most), dtype=np.int64)
    count, sum_C, squared_C = 0, np.zeros(image_NCHW.shape[1]), np.zeros(image_NCHW.shape[1])
    for start in range(0, len(rows_N), 64):  # in parts, so that large images do not fill the memory
        image_BCHW = image_NCHW[rows_N[start : start + 64]].astype(np.float64)
        count += image_BCHW[:, 0].size
        sum_C += image_BCHW.sum(axis=(0, 2, 3))  # of whole numbers, so exact
        squared_C += (image_BCHW**2).sum(axis=(0, 2, 3))
    mean_C = sum_C / count
    std_C = np.sqrt(np.maximum(squared_C / count - mean_C**2, 0.0))
    return mean_C / 255.0, np.maximum(std_C / 255.0, 1e-3)

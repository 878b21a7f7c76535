"""The images of a training's steps: read where they are, or decoded and augmented by processes that stay ahead.

What a step gets depends on seed, epoch and the image's place in the epoch alone, so that neither the number of
processes nor a kill changes it. A process holds at most ``AHEAD`` batches of its own ready: together they are
``processes * AHEAD`` batches of bytes, some 40 MB for each batch of 256 images of 224 pixels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from trainables.batches.randomness import drawn_apart, seed_globals
from trainables.photographs import Photographs
from trainables.plan import Square
from trainables.splits import Images, Joined, Pictures

AHEAD = 2
"""Batches that a process has ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A worker's images of a step.

    Attributes:
        seed: of the epoch.
        row_B: rows of the pictures.
        place_B: places of these images in the epoch.
    """

    seed: int
    row_B: NDArray[np.int64]
    place_B: NDArray[np.int64]


class _Reader(Dataset[tuple[Tensor, Tensor]]):
    """Bytes (B, C, H, W), or images in [0, 1], and their targets, of a part."""

    def __init__(self, pictures: Pictures, square: Square | None, side: int) -> None:
        self._pictures, self._square, self._side = pictures, square, side

    def __getitem__(self, part: Part) -> tuple[Tensor, Tensor]:
        pictures = self._pictures
        if self._square is None:
            if isinstance(pictures, Images):
                pixel_BCHW = np.ascontiguousarray(pictures.image_NCHW[part.row_B])
                return torch.from_numpy(pixel_BCHW), torch.from_numpy(pictures.label_N[part.row_B])
            return pictures.batch(part.row_B)
        squares = []
        with drawn_apart():
            for row, place in zip(part.row_B.tolist(), part.place_B.tolist(), strict=True):
                image = _whole(pictures, row)
                seed_globals(part.seed, place)
                squares.append(self._square(image, self._side))
        labels = pictures.label_N[part.row_B] if isinstance(pictures, Images) else None
        target = pictures.batch(part.row_B)[1] if labels is None else torch.from_numpy(labels)
        return torch.from_numpy(np.stack(squares)), target


def _whole(pictures: Pictures, row: int) -> Image.Image:
    """A picture in its own shape, as far as it is kept."""
    if isinstance(pictures, Joined):
        part, own = pictures.place(row)
        return _whole(part, own)
    if isinstance(pictures, Images):
        if isinstance(pictures.image_NCHW, Photographs):
            return pictures.image_NCHW.whole(row)
        pixel_CHW = pictures.image_NCHW[row]
    else:
        image_CHW = pictures.batch(np.array([row]))[0][0]
        pixel_CHW = (image_CHW.clamp(0, 1) * 255).round().byte().numpy()
    return Image.fromarray(pixel_CHW[0] if len(pixel_CHW) == 1 else pixel_CHW.transpose(1, 2, 0))


class _Parts(Sampler[Part]):
    """The parts of the epoch that is being trained; what processes ask for next."""

    def __init__(self) -> None:
        self.parts: Sequence[Part] = ()

    def __iter__(self) -> Iterator[Part]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)


class Loader:
    """Reads a phase's images, epoch by epoch.

    Args:
        pictures: what is read.
        square: the plan's augmentation of single images.
        side: of the squares that it makes, in pixels.
        processes: that read beside the training; 0 reads in this one.
        device: to which images go.
    """

    def __init__(
        self,
        pictures: Pictures,
        *,
        square: Square | None = None,
        side: int = 0,
        processes: int = 0,
        device: torch.device | None = None,
    ) -> None:
        self.pictures = pictures
        self._device = device or torch.device("cpu")
        self._plain = square is None and not _decoded_anew(pictures)
        self._reader = _Reader(pictures, square, side)
        self._parts = _Parts()
        self._batches: DataLoader[tuple[Tensor, Tensor]] | None = None
        if processes and not self._plain:
            settings: dict[str, Any] = {"persistent_workers": True, "prefetch_factor": AHEAD}
            self._batches = DataLoader(
                self._reader,
                sampler=self._parts,
                batch_size=None,  # a process reads a whole part
                num_workers=processes,
                pin_memory=self._device.type == "cuda",
                generator=torch.Generator(),  # or it would draw from the global one, from which dropout draws
                **settings,
            )

    def epoch(self, parts: Sequence[Part]) -> Iterator[tuple[Tensor, Tensor]]:
        """Images in [0, 1], float32 (B, C, H, W), and their targets, of each part in turn, on the device."""
        read: Iterator[tuple[Tensor, Tensor]]
        if self._batches is None:
            read = (self.pictures.batch(part.row_B) if self._plain else self._reader[part] for part in parts)
        else:
            self._parts.parts = parts
            read = iter(self._batches)
        for image_BCHW, target in read:
            moved_BCHW = image_BCHW.to(self._device, non_blocking=True)
            if moved_BCHW.dtype == torch.uint8:
                moved_BCHW = moved_BCHW.float().div_(255.0)
            yield moved_BCHW, target.to(self._device, non_blocking=True)

    def close(self) -> None:
        """End the processes."""
        if self._batches is not None:
            iterator = self._batches._iterator
            if iterator is not None:
                iterator._shutdown_workers()  # type: ignore[attr-defined]
            self._batches = None


def _decoded_anew(pictures: Pictures) -> bool:
    """Whether images are decoded whenever they are read."""
    if isinstance(pictures, Joined):
        return any(map(_decoded_anew, pictures.parts))
    return isinstance(pictures, Images) and isinstance(pictures.image_NCHW, Photographs)


def processes_beside(device: torch.device) -> int:
    """Processes that read for a training: all of its threads but one beside a GPU, else one where it has several."""
    spare = torch.get_num_threads() - 1
    return spare if device.type == "cuda" else min(1, spare)

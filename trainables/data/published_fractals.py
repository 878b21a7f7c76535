"""Fractals as their authors draw them (Anderson and Farrell 2022): dense, patched, in hues, on random surfaces.

Source ``fractals`` draws the same systems in less time. Here one fractal in a picture is seen through a random window
and its system varies; several lie anywhere, cut off at the edges. Picture number ``i`` of a seed is always the
same.
"""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.data import _published_rendering as rendering
from trainables.data.fractals import PICTURES, system
from trainables.splits import DataError, Splits

PAPER = "https://arxiv.org/abs/2110.03091"
TARGETS = True
ORDERED = False
"""A picture's target says which systems it shows."""

RENDERED = 512
"""Densities that are kept, of fractals that are not alone."""
LUMINANCE = (0.299, 0.587, 0.114)
RGB, GREY = 3, 1


def pictures(
    splits: Splits,
    *,
    systems: int = 1000,
    most: int = 5,
    smallest: float = 0.15,
    largest: float = 0.6,
    low: float = 5.0,
    high: float = 6.0,
    iterations: int = 100_000,
    blur: float = 0.5,
    seed: int = 0,
) -> "PublishedFractals":
    """Pictures of the data's resolution, in colour or grey, each of 1 to ``most`` fractals.

    Args:
        splits: whose images are pretrained for.
        systems: how many there are, which is the number of targets.
        most: fractals in a picture at most; 1 for the single-label pretext, which objective ``supervised`` trains.
        smallest, largest: side of a fractal where there may be several, as shares of the picture's.
        low, high: the sum of ``s1 + 2 s2`` over a system's n maps is drawn from [(low + n) / 2, (high + n) / 2].
        iterations: points of an attractor, rounded up to thousands.
        blur: probability that a picture is blurred.
        seed: of the systems and the pictures.

    Raises:
        DataError: images neither grey nor of three channels, or a number beyond its bounds.
    """
    if systems < 2 or not 1 <= most <= systems or iterations < 1 or not 0 <= blur <= 1:
        raise DataError(
            "published_fractals need at least 2 systems, 1 to as many in a picture, iterations, and a probability of "
            f"blur, given systems {systems}, most {most}, iterations {iterations}, blur {blur}"
        )
    if not 0 < smallest <= largest or not -2 <= low <= high <= 10:
        raise DataError(
            "published_fractals need 0 < smallest <= largest and -2 <= low <= high <= 10, given "
            f"smallest {smallest}, largest {largest}, low {low}, high {high}"
        )
    if splits.channels not in (GREY, RGB):
        raise DataError(f"published_fractals are grey or in colour; the data has {splits.channels} channels")
    return PublishedFractals(
        maps=tuple(system(number, seed, low=low, high=high) for number in range(systems)),
        channels=splits.channels,
        side=splits.resolution,
        most=most,
        sizes=(smallest, largest),
        iterations=iterations,
        blur=blur,
        seed=seed,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PublishedFractals:
    """Pictures as training reads them; attributes as in ``pictures``."""

    maps: tuple[NDArray[np.float64], ...] = field(repr=False)
    channels: int
    side: int
    most: int
    sizes: tuple[float, float]
    iterations: int
    blur: float
    seed: int

    def __len__(self) -> int:
        return PICTURES

    @property
    def classes(self) -> int:
        return len(self.maps)

    def batch(self, rows_B: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Images in [0, 1], float32 (B, C, side, side), and which systems they show: 0 or 1, (B, systems)."""
        image_BCHW = np.empty((len(rows_B), self.channels, self.side, self.side), dtype=np.float32)
        shown_BS = np.zeros((len(rows_B), self.classes), dtype=np.float32)
        for position, row in enumerate(rows_B):
            # Four words, where a system's generator has two and another source's pictures three.
            rng = np.random.default_rng([self.seed, int(row), 1, 1])
            image_HW3, numbers = self._alone(rng) if self.most == 1 else self._several(rng)
            if rng.random() < self.blur:
                image_HW3 = rendering.blurred(image_HW3, rng.uniform(0.5, 1.0))
            seen_HWC = image_HW3 if self.channels == RGB else image_HW3 @ np.array(LUMINANCE)[:, None]
            image_BCHW[position] = seen_HWC.transpose(2, 0, 1)
            shown_BS[position, numbers] = 1.0
        return torch.from_numpy(image_BCHW), torch.from_numpy(shown_BS)

    def _alone(self, rng: np.random.Generator) -> tuple[NDArray[np.float64], list[int]]:
        """The whole picture of one fractal, of a system that varies, through a random window."""
        number = int(rng.integers(self.classes))
        point_P2 = rendering.attractor(rendering.varied(self.maps[number], rng), self.iterations, rng)
        low_2, extent_2 = rendering.window(point_P2, rng)
        light_HW = rendering.density(point_P2, self.side, low_2, extent_2, _patch(rng))
        image_HW3 = rendering.background(self.side, rng)
        _laid_over(image_HW3, rendering.coloured(_turned(light_HW, rng), rng), 0, 0)
        return image_HW3, [number]

    def _several(self, rng: np.random.Generator) -> tuple[NDArray[np.float64], list[int]]:
        """Fractals anywhere in the picture, the later over the earlier ones; drawn at half the side and resized."""
        numbers = [int(number) for number in rng.integers(self.classes, size=rng.integers(1, self.most + 1))]
        image_HW3 = rendering.background(self.side, rng)
        for number in numbers:
            light_HW = _turned(_rendered(self, number), rng)
            size = max(2, int(rng.uniform(*self.sizes) * self.side))
            drawn_SS3 = rendering.resized(rendering.coloured(light_HW, rng), size)
            left, top = (int(place) for place in rng.integers(-(size // 2), self.side - size // 2, size=2))
            _laid_over(image_HW3, drawn_SS3, top, left)
        return image_HW3, numbers


@lru_cache(maxsize=RENDERED)
def _rendered(pictures: PublishedFractals, number: int) -> NDArray[np.float64]:
    """The density of a system, with a patch of its own, which the authors keep for many pictures too."""
    rng = np.random.default_rng([pictures.seed, number, 2, 1])
    point_P2 = rendering.attractor(pictures.maps[number], pictures.iterations, rng)
    low_2, extent_2 = rendering.window(point_P2, None)
    return rendering.density(point_P2, max(2, pictures.side // 2), low_2, extent_2, _patch(rng))


def _patch(rng: np.random.Generator) -> NDArray[np.bool_]:
    return rng.integers(0, 2, (3, 3)).astype(bool)


def _turned(light_HW: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Mirrored and transposed, or not."""
    across, down, over = rng.random(3) < 0.5
    turned_HW = light_HW.T if over else light_HW
    return turned_HW[:: -1 if down else 1, :: -1 if across else 1]


def _laid_over(image_HW3: NDArray[np.float64], drawn_SS3: NDArray[np.float64], top: int, left: int) -> None:
    """What is not black covers the picture, as far as it lies within."""
    side, size = len(image_HW3), len(drawn_SS3)
    rows, columns = (slice(max(0, place), min(side, place + size)) for place in (top, left))
    part_SS3 = drawn_SS3[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    covers_SS1 = (part_SS3 > 0).any(axis=2, keepdims=True)
    image_HW3[rows, columns] = np.where(covers_SS1, part_SS3, image_HW3[rows, columns])

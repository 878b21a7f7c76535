"""Fractal images made on the fly from iterated function systems, several in a picture (Anderson and Farrell 2022).

Nothing is downloaded or stored: picture number ``i`` of a seed is always the same. Against the paper, a fractal's
brightness is the logarithm of its density, without random 3x3 patches, and a background is smooth noise; source
``published_fractals`` draws as the authors do.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.splits import DataError, Splits

PAPER = "https://arxiv.org/abs/2110.03091"
TARGETS = True
ORDERED = False
"""A picture's target says which systems it shows."""

PICTURES = 2**20
"""Different pictures of a seed; every epoch draws other ones of them."""
MAPS = (2, 7)
"""Fewest and most maps of a system."""
POINTS = 512
"""Points of each attractor that are kept; a picture's own points go on from there."""
SETTLE, STEPS, FEW = 30, 2, 4
"""Steps before the kept points, and from these to a picture's points; twice as many where those are ``FEW`` times as
many, so that they differ."""
AT_ONCE = 2**18
"""Points that are moved together, which bounds the memory of large pictures."""
SMALLEST = 0.4
"""Least side of a fractal that is not alone, as a share of the picture's."""
CHOICES = 256
"""A map's probability is a multiple of one over this."""

Floats = NDArray[np.float32]
Complex = NDArray[np.complex64]


def pictures(
    splits: Splits, *, systems: int = 100, most: int = 3, background: float = 0.3, seed: int = 0
) -> "Fractals":
    """Pictures of the data's channels and resolution, each of 1 to ``most`` fractals.

    Args:
        splits: whose images are pretrained for.
        systems: how many there are, which is the number of targets.
        most: fractals in a picture at most (the paper: 5); with several, each covers 40 to 100 % of the side.
        background: largest brightness of the background, in [0, 1]; 0 is black.
        seed: of the systems and the pictures.

    Raises:
        DataError: fewer than two systems, no fractal in a picture or more than there are systems, or a background
            outside [0, 1].
    """
    if systems < 2 or not 1 <= most <= systems or not 0.0 <= background <= 1.0:
        raise DataError(
            "fractals need at least 2 systems, 1 to as many in a picture, and a background in [0, 1], given "
            f"systems {systems}, most {most}, background {background}"
        )
    return Fractals(
        channels=splits.channels,
        side=splits.resolution,
        systems=drawn(systems, seed),
        most=most,
        background=background,
        seed=seed,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Systems:
    """S iterated function systems; the plane is that of complex numbers, on which an affine map is ``a z + b z* + c``.

    Attributes:
        map_SK3: ``a``, ``b`` and ``c`` of the map of each of K equally likely numbers.
        point_SP: points on each attractor.
        low_S2, range_S2: corner and extent of the rectangle around these points.
    """

    map_SK3: Complex
    point_SP: Complex
    low_S2: Floats
    range_S2: Floats

    def __len__(self) -> int:
        return len(self.map_SK3)


def singular_values(maps: int, rng: np.random.Generator, *, low: float = 5.0, high: float = 6.0) -> NDArray[np.float64]:
    """Singular values of the maps of one system, larger first, shape (maps, 2).

    They lie in [0, 1], and the sum of ``s1 + 2 s2`` over the maps is drawn evenly in [(low + maps) / 2,
    (high + maps) / 2]; with 5 and 6 the paper found attractors neither sparse nor blurred. Each map takes a part of
    that sum that the maps after it, at most 3 each, can complete.
    """
    left = rng.uniform((low + maps) / 2, (high + maps) / 2)
    values = np.empty((maps, 2))
    for position in range(maps):
        least, most = max(0.0, left - 3 * (maps - position - 1)), min(3.0, left)
        first = rng.uniform(least / 3, min(1.0, most))
        second = rng.uniform(max(0.0, (least - first) / 2), min(first, (most - first) / 2))
        values[position] = first, second
        left -= first + 2 * second
    return values


def system(number: int, seed: int, *, low: float = 5.0, high: float = 6.0) -> NDArray[np.float64]:
    """The affine maps of one system, shape (maps, 2, 3): rotation x singular values x rotation, mirrored or not."""
    rng = np.random.default_rng([seed, number])
    maps = int(rng.integers(MAPS[0], MAPS[1] + 1))
    values_N2 = singular_values(maps, rng, low=low, high=high)
    sign_N2 = rng.choice((-1.0, 1.0), size=(maps, 2))
    left_N22, right_N22 = (_rotations(rng.uniform(-np.pi, np.pi, maps)) for _ in range(2))
    linear_N22 = left_N22 @ (right_N22 * (values_N2 * sign_N2)[:, :, None])
    return np.concatenate([linear_N22, rng.uniform(-1.0, 1.0, (maps, 2, 1))], axis=2)


def _rotations(angle_N: NDArray[np.float64]) -> NDArray[np.float64]:
    cos_N, sin_N = np.cos(angle_N), np.sin(angle_N)
    return np.stack([np.stack([cos_N, -sin_N], -1), np.stack([sin_N, cos_N], -1)], -2)


@cache
def drawn(systems: int, seed: int) -> Systems:
    """The first systems of a seed, with points on their attractors."""
    rng = np.random.default_rng(seed)
    map_SK3 = np.stack([_choices(system(number, seed)) for number in range(systems)])
    point_SP = np.zeros((systems, POINTS), dtype=np.complex64)
    system_S1 = np.arange(systems)[:, None]
    for _ in range(SETTLE):
        point_SP = moved(point_SP, map_SK3[system_S1, rng.integers(CHOICES, size=(systems, POINTS))])
    xy_SP2 = point_SP.view(np.float32).reshape(systems, POINTS, 2)
    low_S2, high_S2 = xy_SP2.min(axis=1), xy_SP2.max(axis=1)
    return Systems(
        map_SK3=map_SK3, point_SP=point_SP, low_S2=low_S2, range_S2=np.maximum(high_S2 - low_S2, np.float32(1e-6))
    )


def _choices(map_N23: NDArray[np.float64]) -> Complex:
    """Each map as often as its determinant asks for, so that its part of the attractor is as dense as the others."""
    weight_N = np.abs(np.linalg.det(map_N23[:, :, :2])) + 0.01
    share_N = np.cumsum(weight_N) / weight_N.sum()
    return as_complex(map_N23)[np.searchsorted(share_N, (np.arange(CHOICES) + 0.5) / CHOICES)]


def as_complex(map_N23: NDArray[np.float64]) -> Complex:
    """``a``, ``b`` and ``c`` of affine maps, shape (N, 3)."""
    (xx, xy, x), (yx, yy, y) = map_N23.transpose(1, 2, 0)
    return np.stack([xx + yy + 1j * (yx - xy), xx - yy + 1j * (yx + xy), 2 * (x + 1j * y)], -1).astype(np.complex64) / 2


def moved(point_P: Complex, map_P3: Complex) -> Complex:
    """Each point under its own map; any leading dimensions."""
    return map_P3[..., 0] * point_P + map_P3[..., 1] * point_P.conj() + map_P3[..., 2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fractals:
    """Pictures as training reads them; attributes as in ``pictures``."""

    systems: Systems
    channels: int
    side: int
    most: int
    background: float
    seed: int

    def __len__(self) -> int:
        return PICTURES

    @property
    def classes(self) -> int:
        return len(self.systems)

    def batch(self, rows_B: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Images in [0, 1], float32 (B, C, side, side), and which systems they show: 0 or 1, (B, systems)."""
        image_BCHW = np.empty((len(rows_B), self.channels, self.side, self.side), dtype=np.float32)
        shown_BS = np.zeros((len(rows_B), self.classes), dtype=np.float32)
        points = max(POINTS, 2 * self.side**2)
        together = max(1, AT_ONCE // points)
        for start in range(0, len(rows_B), together):
            some = slice(start, start + together)
            drawings = [self._drawing(int(row), points) for row in rows_B[some]]
            self._paint(drawings, image_BCHW[some], shown_BS[some])
        return torch.from_numpy(image_BCHW), torch.from_numpy(shown_BS)

    def _drawing(self, row: int, points: int) -> "_Drawing":
        """All that is random in a picture, from its own numbers, so that it does not depend on its batch."""
        # Three words, where a system's generator has two: no picture shares its numbers with a system.
        rng = np.random.default_rng([self.seed, row, 1])
        number_L = rng.permutation(len(self.systems))[: rng.integers(1, self.most + 1)]
        steps = STEPS if points <= FEW * POINTS else 2 * STEPS
        return _Drawing(
            number_L=number_L,
            uniform_L5=rng.random((len(number_L), 5), dtype=np.float32),
            colour_LC=rng.uniform(0.4, 1.0, (len(number_L), self.channels)).astype(np.float32),
            corner_C33=rng.random((self.channels, 3, 3), dtype=np.float32),
            choice_LTP=rng.integers(CHOICES, size=(len(number_L), steps, points), dtype=np.uint8),
        )

    def _paint(self, drawings: "list[_Drawing]", image_BCHW: Floats, shown_BS: Floats) -> None:
        blend_3H = _between_three(self.side)
        corner_BC33 = np.stack([drawing.corner_C33 for drawing in drawings])
        image_BCHW[:] = self.background * (blend_3H.T @ corner_BC33 @ blend_3H)
        for layer in range(self.most):  # later fractals cover earlier ones
            has_F = np.array([b for b, drawing in enumerate(drawings) if len(drawing.number_L) > layer])
            if not len(has_F):
                return
            deep = [drawings[b] for b in has_F]
            number_F = np.array([drawing.number_L[layer] for drawing in deep])
            alone_F = np.array([len(drawing.number_L) == 1 for drawing in deep])
            choice_TFP = np.stack([drawing.choice_LTP[layer] for drawing in deep], axis=1)
            uniform_F5 = np.stack([drawing.uniform_L5[layer] for drawing in deep])
            shown_BS[has_F, number_F] = 1.0
            light_F1HW = self._light(number_F, alone_F, choice_TFP, uniform_F5)[:, None]
            colour_FC11 = np.stack([drawing.colour_LC[layer] for drawing in deep])[:, :, None, None]
            opacity_F1HW = np.minimum(1.0, 2 * light_F1HW)
            image_BCHW[has_F] += opacity_F1HW * (colour_FC11 * light_F1HW - image_BCHW[has_F])

    def _light(
        self, number_F: NDArray[np.int64], alone_F: NDArray[np.bool_], choice_TFP: NDArray[np.uint8], uniform_F5: Floats
    ) -> Floats:
        """Brightness of one fractal in each picture, (F, side, side): the logarithm of its density, at most 1."""
        systems, side = self.systems, self.side
        point_FP = systems.point_SP[number_F][:, np.arange(choice_TFP.shape[2]) % POINTS]
        table_M3 = systems.map_SK3.reshape(-1, 3)  # taking rows of one table is several times as fast as two indices
        for choice_FP in choice_TFP:
            point_FP = moved(point_FP, table_M3.take(number_F[:, None] * CHOICES + choice_FP, axis=0))
        low_F2, range_F2 = systems.low_S2[number_F], systems.range_S2[number_F]
        x_FP = (point_FP.real - low_F2[:, :1]) / range_F2[:, :1]
        y_FP = (point_FP.imag - low_F2[:, 1:]) / range_F2[:, 1:]
        scale, right, down, mirror, turn = uniform_F5.T[:, :, None]
        x_FP = np.where(mirror < 0.5, x_FP, 1 - x_FP)
        x_FP, y_FP = np.where(turn < 0.5, x_FP, y_FP), np.where(turn < 0.5, y_FP, 1 - x_FP)
        inside_FP = (x_FP >= 0) & (x_FP < 1) & (y_FP >= 0) & (y_FP < 1)  # a new point may lie beyond the old ones
        size_F1 = side * np.where(alone_F[:, None], 1.0, SMALLEST + (1 - SMALLEST) * scale).astype(np.float32)
        column_FP = ((side - size_F1) * right + size_F1 * x_FP)[inside_FP].astype(np.int64)
        row_FP = ((side - size_F1) * down + size_F1 * y_FP)[inside_FP].astype(np.int64)
        pixel = (np.nonzero(inside_FP)[0] * side + row_FP.clip(max=side - 1)) * side + column_FP.clip(max=side - 1)
        light_FHW = np.log1p(np.bincount(pixel, minlength=len(number_F) * side * side).astype(np.float32))
        light_FHW = light_FHW.reshape(-1, side, side)
        brightest: Floats = light_FHW / np.maximum(light_FHW.max(axis=(1, 2), keepdims=True), 1e-6)
        return brightest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawing:
    """What is random in a picture of L fractals: systems, places, colours, background, and T steps of P points."""

    number_L: NDArray[np.int64]
    uniform_L5: Floats
    colour_LC: Floats
    corner_C33: Floats
    choice_LTP: NDArray[np.uint8]


def _between_three(side: int) -> Floats:
    """Weights of three evenly spaced values at ``side`` places between them, (3, side)."""
    place_H = np.linspace(0.0, 2.0, side)
    weight_3H: Floats = np.maximum(0.0, 1 - np.abs(place_H - np.arange(3)[:, None])).astype(np.float32)
    return weight_3H

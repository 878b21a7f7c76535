"""How the authors of fractal pretraining draw: densities by iteration, patches, hues, diamond-square surfaces."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CHAINS = 1000
"""Points that are iterated side by side."""
SETTLE = 30
"""Steps from the origin before a point counts as one of the attractor."""
WINDOW_SCALE, WINDOW_SHIFT = (0.5, 2.0), 0.2
"""Of a fractal that is alone: its window's extent, and the shift of its centre, as shares of the attractor's extent."""
SCALES, TRIES = (0.8, 1.1), 4
"""By how much one map of a fractal that is alone is scaled, tried until the system contracts."""


def attractor(map_N23: Floats, iterations: int, rng: np.random.Generator) -> Floats:
    """About ``iterations`` points of a system's attractor, each map chosen by its determinant, shape (points, 2)."""
    weight_N = np.abs(np.linalg.det(map_N23[:, :, :2]))
    total_N = np.cumsum(weight_N) / max(weight_N.sum(), 1e-12)
    steps = -(-iterations // CHAINS)
    point_P2 = np.zeros((CHAINS, 2))
    points_TP2 = np.empty((steps, CHAINS, 2))
    for step in range(-SETTLE, steps):
        number_P = np.searchsorted(total_N[:-1], rng.random(CHAINS), side="right")
        map_P23 = map_N23[number_P]
        point_P2 = (map_P23[:, :, :2] * point_P2[:, None]).sum(axis=2) + map_P23[:, :, 2]
        points_TP2[max(step, 0)] = point_P2
    return points_TP2.reshape(-1, 2)


def varied(map_N23: Floats, rng: np.random.Generator) -> Floats:
    """A system of which one map is scaled, if that leaves all maps contractions in one of a few tries."""
    for _ in range(TRIES):
        scaled_N23 = map_N23.copy()
        scaled_N23[rng.integers(len(map_N23))] *= rng.uniform(*SCALES)
        if np.linalg.svd(scaled_N23[:, :, :2], compute_uv=False).max() <= 1:
            return scaled_N23
    return map_N23


def window(point_P2: Floats, rng: np.random.Generator | None) -> tuple[Floats, Floats]:
    """Lower corner and extent of what a picture shows of the points; all of them without random numbers."""
    low_2, high_2 = point_P2.min(axis=0), point_P2.max(axis=0)
    extent_2 = high_2 - low_2
    if rng is not None:
        centre_2 = (low_2 + high_2) / 2 + extent_2 * rng.uniform(-WINDOW_SHIFT, WINDOW_SHIFT, 2)
        extent_2 = extent_2 * rng.uniform(*WINDOW_SCALE, 2)
        low_2 = centre_2 - extent_2 / 2
    return low_2, np.where(extent_2 > 0, extent_2, 1.0)


def density(point_P2: Floats, side: int, low_2: Floats, extent_2: Floats, patch_33: NDArray[np.bool_]) -> Floats:
    """Points on each pixel over the largest number, (side, side); each point marks a patch around its pixel."""
    place_P2 = np.trunc((point_P2 - low_2) * (side - 1) / extent_2).astype(np.int64) + 1  # a margin of one pixel
    inside_P = ((place_P2 >= 0) & (place_P2 < side + 2)).all(axis=1)
    wide = side + 2
    count_HW = np.bincount(place_P2[inside_P, 0] * wide + place_P2[inside_P, 1], minlength=wide * wide)
    count_HW = np.pad(count_HW.reshape(wide, wide), 1)
    total_HW = np.zeros((side, side))
    for row, column in np.argwhere(patch_33):
        total_HW += count_HW[2 - row + 1 : 2 - row + 1 + side, 2 - column + 1 : 2 - column + 1 + side]
    share_HW: Floats = total_HW / max(total_HW.max(), 1.0)
    return share_HW


def coloured(light_HW: Floats, rng: np.random.Generator) -> Floats:
    """RGB in [0, 1] of densities, (side, side, 3): they turn a random hue; empty pixels are black."""
    hue, saturation, value = rng.random(), rng.uniform(0.3, 1.0), rng.uniform(0.5, 1.0)
    rgb_HW3 = from_hsv((light_HW + hue) % 1.0, np.full_like(light_HW, saturation), np.full_like(light_HW, value))
    return rgb_HW3 * (light_HW > 0)[:, :, None]


def background(side: int, rng: np.random.Generator) -> Floats:
    """A diamond-square surface, turned into hue, saturation and value by random lines, (side, side, 3)."""
    surface_HW = diamond_square(max(1, int(np.ceil(np.log2(side)))), rng.uniform(0.4, 0.8), rng)[:side, :side]
    hue, shift = rng.uniform(0.25, 1.0), rng.random()
    saturation_HW = surface_HW * rng.uniform(0.1, 0.3) + rng.uniform(0.4, 0.6)
    value_HW = surface_HW * rng.uniform(0.3, 0.6) + rng.uniform(0.4, 0.6)
    return from_hsv((surface_HW * hue + shift) % 1.0, saturation_HW.clip(0, 1), value_HW.clip(0, 1))


def diamond_square(levels: int, decay: float, rng: np.random.Generator) -> Floats:
    """A random surface of side 2^levels + 1: midpoints of squares and of diamonds, each moved by less and less."""
    side = 2**levels + 1
    surface = np.zeros((side, side))
    surface[:: side - 1, :: side - 1] = rng.random((2, 2))
    for level in range(1, levels + 1):
        most, step = 0.5 * np.exp(decay * (1 - level)), 2 ** (levels - level)
        corner = surface[:: 2 * step, :: 2 * step]
        middle = (corner[:-1, :-1] + corner[:-1, 1:] + corner[1:, :-1] + corner[1:, 1:]) / 4
        surface[step :: 2 * step, step :: 2 * step] = middle + rng.uniform(-most, most, middle.shape)
        place = np.arange(0, side, step)
        before = np.where(place > 0, place - step, side - 1 - step)
        after = np.where(place < side - 1, place + step, step)
        mean = (
            surface[np.ix_(before, place)]
            + surface[np.ix_(after, place)]
            + surface[np.ix_(place, before)]
            + surface[np.ix_(place, after)]
        )
        odd = np.add.outer(place, place) // step % 2 == 1
        fresh = mean / 4 + rng.uniform(-most, most, odd.shape)
        surface[::step, ::step] = np.where(odd, fresh, surface[::step, ::step])
    return surface


def from_hsv(hue_HW: Floats, saturation_HW: Floats, value_HW: Floats) -> Floats:
    """Hue, saturation and value in [0, 1] as RGB, last dimension 3."""
    sector_HW3 = (hue_HW[..., None] * 6 + np.array([0.0, 4.0, 2.0])) % 6
    ramp_HW3 = np.clip(np.abs(sector_HW3 - 3) - 1, 0, 1)
    rgb_HW3: Floats = value_HW[..., None] * (1 + saturation_HW[..., None] * (ramp_HW3 - 1))
    return rgb_HW3


def resized(image_HWC: Floats, side: int) -> Floats:
    """Bilinear, centres of pixels aligned, edges repeated, as OpenCV does it."""
    for axis in (0, 1):
        old = image_HWC.shape[axis]
        place_S = ((np.arange(side) + 0.5) * old / side - 0.5).clip(0, old - 1)
        below_S = np.floor(place_S).astype(np.int64)
        above_S = np.minimum(below_S + 1, old - 1)
        share = (place_S - below_S).reshape([-1 if dimension == axis else 1 for dimension in range(image_HWC.ndim)])
        image_HWC = image_HWC.take(below_S, axis) * (1 - share) + image_HWC.take(above_S, axis) * share
    return image_HWC


def blurred(image_HWC: Floats, sigma: float) -> Floats:
    """A Gaussian blur of 3 x 3 pixels, mirrored at the edges."""
    edge = np.exp(-1 / (2 * sigma**2))
    middle, side = 1 / (1 + 2 * edge), edge / (1 + 2 * edge)
    for axis in (0, 1):
        pad = [(1, 1) if dimension == axis else (0, 0) for dimension in range(image_HWC.ndim)]
        wide = np.pad(image_HWC, pad, mode="reflect")
        size = image_HWC.shape[axis]
        before_HWC, own_HWC, after_HWC = (wide.take(np.arange(size) + k, axis) for k in range(3))
        image_HWC = own_HWC * middle + (before_HWC + after_HWC) * side
    return image_HWC

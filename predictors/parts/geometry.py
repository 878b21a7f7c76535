"""How far apart the choices of one dimension are: warps of ordered ones, places of repeated ones, both learnt.

* Ordinal: the distance of levels in [0, 1] after a warp w(x) = 1 - (1 - x^a)^b (the distribution function of
  Kumaraswamy; Snoek et al., ICML 2014, use the beta distribution's), since what matters may happen at one end.
* Unordered and repeated over positions (the operation of every edge, the block of every stage): the distance of the
  choices' places in a Euclidean space (latent variables: Zhang et al., Technometrics 2020). All positions share the
  places, so few trials tell that two operations are alike.
* Other unordered dimensions: 1 between any two choices.

Before any score is known levels lie where they are and places are the corners of a simplex with edges of 1.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from predictors.parts.derived import repetitions
from spaces.encoding import Layout

Values = NDArray[np.float64]

ENDS = 1e-6
"""Levels are kept this far from 0 and 1, where the warp has no slope."""

ALONE = -1
"""In place of a repetition's number: an ordinal dimension, or an unordered one that is not repeated."""


@dataclass(frozen=True, kw_only=True)
class Dimensions:
    """What kind each dimension is.

    Attributes:
        ordinal_D: whether its levels have an order.
        repeated_D: the number of the repetition of unordered dimensions it belongs to, or ``ALONE``.
        choices: of each repetition, the number of levels: its choices, and one for an inactive dimension.
    """

    ordinal_D: NDArray[np.bool_]
    repeated_D: NDArray[np.intp]
    choices: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.ordinal_D)


@lru_cache(maxsize=64)
def dimensions(layout: Layout) -> Dimensions:
    """The dimensions of a layout; the same object for every prediction, so not to be written to."""
    repeated_D = np.full(len(layout.groups), ALONE)
    choices: list[int] = []
    for members in repetitions(layout):
        if not members[0].ordinal:
            repeated_D[[layout.groups.index(group) for group in members]] = len(choices)
            choices.append(members[0].stop - members[0].start + 1)
    ordinal_D = np.array([group.ordinal for group in layout.groups], dtype=bool)
    return Dimensions(ordinal_D=ordinal_D, repeated_D=repeated_D, choices=tuple(choices))


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """The learnt part.

    Attributes:
        warp_2D: logarithms of a and b of every dimension; those of unordered ones are not used.
        places_V: the places of all repetitions' levels, one after the other, of C levels a C x C matrix.
    """

    warp_2D: Values
    places_V: Values

    @classmethod
    def flat(cls, dims: Dimensions) -> "Geometry":
        """Levels where they are, places on a simplex."""
        simplices = [np.eye(count).ravel() / np.sqrt(2.0) for count in dims.choices]
        return cls(warp_2D=np.zeros((2, len(dims))), places_V=np.concatenate([np.zeros(0), *simplices]))

    def places(self, dims: Dimensions, repetition: int) -> Values:
        """The places of a repetition's levels, shape (C, C); a view."""
        count, start = dims.choices[repetition], sum(count**2 for count in dims.choices[:repetition])
        return self.places_V[start : start + count**2].reshape(count, count)

    def gaps(self, dims: Dimensions, d: int, level_L: Values, other_M: Values) -> Values:
        """Distances between levels of dimension ``d``, shape (L, M)."""
        if not dims.ordinal_D[d] and dims.repeated_D[d] == ALONE:
            differs_LM: Values = (level_L[:, None] != other_M).astype(np.float64)
            return differs_LM
        return _distances(self._points(dims, d, level_L), self._points(dims, d, other_M))

    def backward(self, dims: Dimensions, d: int, level_L: Values, by_gap_LL: Values, gradient: "Geometry") -> None:
        """Add to ``gradient`` what a loss with this gradient by the gaps of ``level_L`` among themselves has by us."""
        if not dims.ordinal_D[d] and dims.repeated_D[d] == ALONE:
            return
        points_LR = self._points(dims, d, level_L)
        gap_LL = _distances(points_LR, points_LR)
        pull_LL = np.divide(by_gap_LL + by_gap_LL.T, gap_LL, out=np.zeros_like(gap_LL), where=gap_LL > 0)
        by_point_LR = pull_LL.sum(axis=1, keepdims=True) * points_LR - pull_LL @ points_LR
        if dims.ordinal_D[d]:
            gradient.warp_2D[:, d] += _warp_slopes(level_L, *self.warp_2D[:, d]) @ by_point_LR[:, 0]
        else:
            np.add.at(gradient.places(dims, int(dims.repeated_D[d])), level_L.astype(np.intp), by_point_LR)

    def _points(self, dims: Dimensions, d: int, level_L: Values) -> Values:
        """Where levels lie, shape (L, R)."""
        if dims.ordinal_D[d]:
            return _warp(level_L, *self.warp_2D[:, d])[:, None]
        return self.places(dims, int(dims.repeated_D[d]))[level_L.astype(np.intp)]


def _distances(a_LR: Values, b_MR: Values) -> Values:
    distance_LM: Values = np.sqrt(((a_LR[:, None, :] - b_MR) ** 2).sum(axis=2))
    return distance_LM


def _warp(level_L: Values, log_a: float, log_b: float) -> Values:
    inside_L = np.clip(level_L, ENDS, 1.0 - ENDS)
    warped_L: Values = 1.0 - (1.0 - inside_L ** np.exp(log_a)) ** np.exp(log_b)
    return warped_L


def _warp_slopes(level_L: Values, log_a: float, log_b: float) -> Values:
    """Derivatives of ``_warp`` by ``log_a`` and ``log_b``, shape (2, L)."""
    a, b, inside_L = np.exp(log_a), np.exp(log_b), np.clip(level_L, ENDS, 1.0 - ENDS)
    power_L = inside_L**a
    left_L = 1.0 - power_L
    return np.stack([b * left_L ** (b - 1.0) * power_L * np.log(inside_L) * a, -(left_L**b) * np.log(left_L) * b])

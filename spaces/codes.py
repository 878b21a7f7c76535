"""Rows of codes as sets: what tells one candidate from another."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spaces.space import Codes, Space


def row_keys(codes_ND: Codes) -> NDArray[Any]:
    """One sortable fixed-width byte string per row, shape (N,): equal where all codes are equal."""
    rows_ND = np.ascontiguousarray(codes_ND, dtype=np.int16)
    return rows_ND.view(f"S{rows_ND.shape[1] * 2}").ravel()


def distinct(codes_ND: Codes) -> Codes:
    """The rows without repeats, in the order of their first occurrence."""
    return codes_ND[first_of_each(codes_ND)]


def hamming(a_ND: Codes, b_D: Codes) -> NDArray[np.int64]:
    """In how many dimensions each row differs from one candidate, shape (N,)."""
    differing_N: NDArray[np.int64] = np.count_nonzero(a_ND != b_D, axis=1)
    return differing_N


def without(codes_ND: Codes, seen_ND: Codes) -> Codes:
    """The rows that are not among the seen ones."""
    return codes_ND[~np.isin(row_keys(codes_ND), row_keys(seen_ND))] if len(seen_ND) else codes_ND


def first_of_each(codes_ND: Codes) -> NDArray[np.int64]:
    """Positions of the first occurrence of every different row, in the order of occurrence."""
    return np.sort(np.unique(row_keys(codes_ND), return_index=True)[1])


def members(space: Space) -> Codes:
    """All candidates of a (small) space, shape (space.count(), D), the last dimension's code changing fastest."""
    codes_ND: Codes = np.full((1, len(space.dimensions)), -1, dtype=np.int16)
    for column, size in enumerate(space.sizes_D.tolist()):
        probe_ND = codes_ND.copy()
        probe_ND[:, column] = 0
        active_N = space.mask(probe_ND)[:, column] >= 0
        copies_N = np.where(active_N, size, 1)
        rank_N = np.arange(copies_N.sum()) - np.repeat(np.cumsum(copies_N) - copies_N, copies_N)
        codes_ND = np.repeat(codes_ND, copies_N, axis=0)
        codes_ND[:, column] = np.where(np.repeat(active_N, copies_N), rank_N, -1)
    return codes_ND

"""A mix: every epoch has exact shares of one's own images, of further pools and of fractals.

So a search can ask how diverse the images of a pretraining should be, at the same number of images seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from trainables.batches.fields import fields_of
from trainables.batches.order import Weighted
from trainables.data import fractals as fractal_pictures
from trainables.splits import DataError, Joined, Pictures, Splits

PAPER = "https://arxiv.org/abs/2407.17904"
TARGETS = False
ORDERED = True

ORIGIN = "origin"
OWN, FRACTALS = "own", "fractals"


def pictures(splits: Splits, *, fractals: float = 0.0, pools: float = 0.0, seed: int = 0) -> "Mix":
    """Own images have the share that the others leave; shares that are above 1 together are divided by their sum.

    Args:
        splits: whose images to pretrain on are the own ones.
        fractals: share of fractal pictures (source ``fractals``).
        pools: share of the images of ``data.pools``, of which each pool has as much.
        seed: of the fractals.

    Raises:
        DataError: a share below 0, or of pools where the data has none.
    """
    if min(fractals, pools) < 0:
        raise DataError(f"shares of a mix are at least 0, given fractals {fractals} and pools {pools}")
    if pools and not splits.pools:
        raise DataError(f"a mix is to have a share of {pools:g} of data.pools, and there are none; name some")
    scale = max(1.0, fractals + pools)
    parts: dict[str, Pictures] = {OWN: splits.unlabelled}
    share = {OWN: max(0.0, 1.0 - fractals - pools)}
    if fractals:
        parts[FRACTALS] = fractal_pictures.pictures(splits, seed=seed)
        share[FRACTALS] = fractals / scale
    for name, pool in splits.pools.items() if pools else ():
        parts[name], share[name] = pool, pools / scale / len(splits.pools)
    used = {name: part for name, part in parts.items() if share[name]}
    return Mix(parts=used, share={name: share[name] for name in used})


@dataclass(frozen=True, kw_only=True)
class Mix:
    """Pictures of several parts.

    Attributes:
        parts: by name, in the order of their numbers in the field ``origin``.
        share: of each part in an epoch, above 0; together 1.
    """

    parts: Mapping[str, Pictures]
    share: Mapping[str, float]

    def __len__(self) -> int:
        return len(self._joined)

    def batch(self, rows_B: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Images in [0, 1], float32 (B, C, H, W), and zeros (B,)."""
        return self._joined.batch(rows_B)

    @property
    def order(self) -> Weighted:
        """Exact shares of every epoch's images."""
        return Weighted(share=dict(enumerate(self.share.values())), field=ORIGIN)

    @cached_property
    def fields(self) -> Mapping[str, NDArray[Any]]:
        """``origin``, and what the parts know of their images; fractals, of which there are a million, know nothing."""
        own = {} if FRACTALS in self.parts else fields_of(self._joined)
        return {**own, ORIGIN: np.repeat(np.arange(len(self.parts)), [len(part) for part in self.parts.values()])}

    @cached_property
    def _joined(self) -> Joined:
        return Joined(tuple(self.parts.values()))

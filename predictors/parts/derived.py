"""More free statistics, from the columns alone: counts and mean levels of repeated choices.

A space repeats choices over positions: the kernel of every stage, the operation of every edge of a cell. To a first
approximation the positions are interchangeable, so how often each value occurs says much about a candidate with few
numbers. These are the features of GRAF (Kadlecova et al., ICML 2024) that need no knowledge of the graph.
"""

import re

import numpy as np
from numpy.typing import NDArray

from predictors.protocol import Floats
from spaces.encoding import Group, Layout

REPEATS = 3
"""Dimensions are summarised together from this number of them on."""


def repetitions(layout: Layout) -> list[list[Group]]:
    """Groups whose addresses differ only in their digits (``architecture.kernel.0``, ``.1``, ...), of one kind."""
    alike: dict[tuple[str, bool, int], list[Group]] = {}
    for group in layout.groups:
        stem = re.sub(r"\d+", "#", group.address)
        alike.setdefault((stem, group.ordinal, group.stop - group.start), []).append(group)
    return [members for members in alike.values() if len(members) >= REPEATS]


def extended(layout: Layout, x_NF: Floats, s_NK: Floats) -> NDArray[np.float64]:
    """The statistics and the derived ones, shape (N, K + C)."""
    return np.concatenate([np.asarray(s_NK, dtype=np.float64), derived(layout, x_NF)], axis=1)


def derived(layout: Layout, x_NF: Floats) -> NDArray[np.float64]:
    """Summaries of repeated dimensions, shape (N, C); C depends on the layout alone and may be 0.

    A repeated ordinal dimension gives its mean level and its trend (mean of level times centred position); a repeated
    unordered one the share of positions that take each value.
    """
    x_NF = np.asarray(x_NF, dtype=np.float64)
    columns = []
    for members in repetitions(layout):
        value_NGW = np.stack([x_NF[:, group.start : group.stop] for group in members], axis=1)
        columns.append(value_NGW.mean(axis=1))
        if members[0].ordinal:
            position_G = np.linspace(-1.0, 1.0, len(members))
            columns.append((value_NGW * position_G[:, None]).mean(axis=1))
    return np.concatenate(columns, axis=1) if columns else np.zeros((len(x_NF), 0))

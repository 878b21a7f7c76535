"""What searching brought: members beside references that were written by hand and trained as long."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.family.comparison import Comparison, wilson
from search.report.drawing import ORANGE, PURPLE, new_figure
from search.report.evidence import Evidence
from search.report.front import LABELS, plain_log_ticks
from search.report.section import Section
from search.words import named

ORDER = 15
TITLE = "Beside references"

TEXT = (
    "References are what one would have written by hand for each budget. How many macs a reference needs for the "
    "accuracy of a member is read off their curve, straight between two of them; a dash is beyond the curve."
)
CAPTION = "Bars: 95 % of Wilson's intervals of each accuracy alone. Members and references answered the same images."


def section(evidence: Evidence) -> Section | None:
    """Test accuracy against macs of members and references, and what the members save."""
    if evidence.references.empty:
        return None
    family = evidence.family[evidence.family["test_accuracy"].notna()]
    return Section(
        text=" ".join([TEXT, *_verdicts(evidence)]),
        figure=_draw(family, evidence.references, len(evidence.test)),
        description=f"Test accuracy against macs of {len(family)} members and {len(evidence.references)} references",
        caption=CAPTION,
        table=_table(evidence),
        digits=3,
    )


def _verdicts(evidence: Evidence) -> list[str]:
    """How many members had which verdict, and what the intervals rest on."""
    compared = evidence.compared
    counts = Counter(comparison.verdict for comparison in compared.values())
    notes = dict.fromkeys(f"{comparison.note}." for comparison in compared.values())
    if not counts:
        return []
    total = f"Of {len(compared)} member{'' if len(compared) == 1 else 's'}: "
    return [total + named(f"{count} “{verdict}”" for verdict, count in counts.most_common()) + ".", *notes]


def _table(evidence: Evidence) -> pd.DataFrame:
    """References, then members with what they save; what is unknown is NaN."""
    rows: list[dict[str, Any]] = [
        {"network": row.reference, "macs": row.macs, "test accuracy": row.test_accuracy}
        for row in evidence.references.itertuples()
    ]
    for row in evidence.family.itertuples():
        comparison = evidence.compared.get(str(row.member))
        saved = {} if comparison is None else _saved(comparison)
        rows.append({"network": row.member, "macs": row.macs, "test accuracy": row.test_accuracy, **saved})
    return pd.DataFrame(rows)


def _saved(comparison: Comparison) -> dict[str, Any]:
    def times(macs: float | None) -> float:
        return macs / comparison.macs if macs else float("nan")

    def points(share: float | None) -> float:
        return float("nan") if share is None else 100 * share

    return {
        "verdict": comparison.verdict,
        "times fewer macs": times(comparison.equal_macs),
        "from": times(comparison.low_macs),
        "to": times(comparison.high_macs),
        "its reference": comparison.reference or "",
        "points above it": points(comparison.difference),
        "from ": points(comparison.difference_low),
        "to ": points(comparison.difference_high),
    }


def _draw(family: pd.DataFrame, references: pd.DataFrame, images: int) -> Figure:
    figure, (axis,) = new_figure(1, width=7.0, height=3.8)
    _points(axis, references, images, color=PURPLE, fmt="D-", ms=5, lw=1, label="reference")
    _points(axis, family, images, color=ORANGE, fmt="*", ms=11, label="member")
    axis.set(xscale="log", xlabel=LABELS["macs"], ylabel="test accuracy")
    plain_log_ticks(axis)
    axis.legend(loc="lower right")
    return figure


def _points(axis: Axes, networks: pd.DataFrame, images: int, **style: Any) -> None:
    share_N = networks["test_accuracy"].to_numpy(dtype=float)
    bounds_N2 = np.array([wilson(share, images) for share in share_N]).reshape(-1, 2)
    error_2N = np.stack([share_N - bounds_N2[:, 0], bounds_N2[:, 1] - share_N])
    axis.errorbar(networks["macs"], share_N, yerr=error_2N, elinewidth=0.8, capsize=2, mec="none", **style)

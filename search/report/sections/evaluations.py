"""What ``search evaluate`` said of the members beyond their accuracy."""

from typing import Any

import pandas as pd

from search.report.evidence import Evidence
from search.report.section import Section
from spaces import components

ORDER = 105
TITLE = "Evaluations"

TEXT = (
    "Figures on test images, by 'python -m search evaluate' or family.assess, one column a member, with intervals of "
    "95 %; a dash is what a network cannot have."
)


def section(evidence: Evidence) -> Section | None:
    """One row a figure, one column a member."""
    table = evidence.evaluations
    if table.empty:
        return None
    names = sorted(set(table["evaluation"]))
    said = [f"{name}: {components.summary(components.EVALUATIONS, name)}" for name in names]
    return Section(text=" ".join([TEXT, *said]), table=_by_member(table))


def _shown(measure: Any) -> str | None:
    """``0.912 (0.880 to 0.936)``; None where there is no value."""
    if pd.isna(measure.value):
        return None
    interval = "" if pd.isna(measure.low) else f" ({measure.low:.3f} to {measure.high:.3f})"
    return f"{measure.value:.3f}{interval}"


def _by_member(table: pd.DataFrame) -> pd.DataFrame:
    keys = ["evaluation", "metric", "part"]
    rows = table[keys].drop_duplicates()
    for network, own in table.groupby("network", sort=False):
        values = own[keys].copy()
        values[str(network)] = [_shown(one) for one in own.itertuples()]
        rows = rows.merge(values, on=keys, how="left")
    return rows.astype(object).where(rows.notna(), "-").rename(columns={"part": "of"})

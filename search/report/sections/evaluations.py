"""What ``search evaluate`` said of the members beyond their accuracy."""

import pandas as pd

from search.report.evidence import Evidence
from search.report.section import Section
from spaces import components

ORDER = 105
TITLE = "Evaluations"

TEXT = "Figures by 'python -m search evaluate', one column a member; a dash is what a network cannot have."


def section(evidence: Evidence) -> Section | None:
    """One row a figure, one column a member."""
    table = evidence.evaluations
    if table.empty:
        return None
    names = sorted(set(table["evaluation"]))
    said = [f"{name}: {components.summary(components.EVALUATIONS, name)}" for name in names]
    return Section(text=" ".join([TEXT, *said]), table=_by_member(table), digits=3)


def _by_member(table: pd.DataFrame) -> pd.DataFrame:
    keys = ["evaluation", "metric", "part"]
    rows = table[keys].drop_duplicates()
    for network, own in table.groupby("network", sort=False):
        values = own[[*keys, "value"]].rename(columns={"value": str(network)})
        rows = rows.merge(values, on=keys, how="left")
    return rows.astype(object).where(rows.notna(), "-").rename(columns={"part": "of"})

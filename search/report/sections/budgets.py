"""Budget by budget: what was tried, what won, by how much, and what the intervals bear."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from search.family.comparison import Comparison
from search.report.evidence import Evidence
from search.report.importance import scored
from search.report.section import Section
from search.words import amount

ORDER = 12
TITLE = "By budget"

TEXT = (
    "Trials in the band fit a budget and not the next smaller one; the best of them is by its score on "
    "search-validation, mostly after fewer epochs than a member had. The gain is in points of test accuracy over the "
    "best reference within the budget. Intervals are of 95 %: a gain whose interval holds 0 is not shown."
)


def section(evidence: Evidence) -> Section | None:
    """One row a budget."""
    if not evidence.budgets:
        return None
    return Section(text=TEXT, table=pd.DataFrame(list(_rows(evidence))))


def _rows(evidence: Evidence) -> Iterator[dict[str, Any]]:
    trials = scored(evidence.trials)
    family = evidence.family.set_index("member")
    below, before = 0.0, None
    for row in evidence.budgets:
        band = trials[(trials["macs"] > below) & (trials["macs"] <= row.max_macs)]
        compared = None if row.member is None else evidence.compared.get(row.member)
        again = row.member is not None and row.member == before
        yield {
            "budget, macs": amount(row.max_macs),
            "trials in its band": len(band),
            "best of them": float(band["score"].max()) if len(band) else float("nan"),
            "network": row.member or "none",
            "its macs": "" if row.member is None else amount(float(family["macs"][row.member])),
            "test accuracy": float("nan") if row.member is None else float(family["test_accuracy"][row.member]),
            "gain over its reference": "" if compared is None else compared.points,
            "times fewer macs": "" if compared is None else compared.times_fewer,
            "in words": _words(row.member, again, compared),
        }
        below, before = row.max_macs, row.member


def _words(member: str | None, again: bool, compared: Comparison | None) -> str:
    if member is None:
        return "no network came to its end"
    if again:
        return "nothing larger was more accurate"
    return "" if compared is None else compared.verdict

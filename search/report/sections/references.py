"""What searching brought: members beside references that were written by hand and trained as long."""

from collections import Counter
from typing import Any

import pandas as pd

from search.report.evidence import Evidence
from search.report.section import Section
from search.words import named

ORDER = 15
TITLE = "Beside references"

TEXT = (
    "References are what one would have written by hand for each budget. How many macs a reference needs for the "
    "accuracy of a member is read off their curve, straight between two of them; the picture at the top has both."
)


def section(evidence: Evidence) -> Section | None:
    """Macs and test accuracy of references and members, and what the members save."""
    if evidence.references.empty:
        return None
    return Section(text=" ".join([TEXT, *_verdicts(evidence)]), table=_table(evidence), digits=3)


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
    """References and members, cheapest first; what is known of neither kind is empty."""
    references = [_row(evidence, row.reference, row) for row in evidence.references.itertuples()]
    members = [_row(evidence, row.member, row) for row in evidence.family.itertuples()]
    return pd.DataFrame(sorted([*references, *members], key=lambda row: row["macs"]))


def _row(evidence: Evidence, name: Any, row: Any) -> dict[str, Any]:
    compared = evidence.compared.get(str(name))
    return {
        "network": name,
        "macs": row.macs,
        "test accuracy": row.test_accuracy,
        "times fewer macs than references": "" if compared is None else compared.times_fewer,
        "what the intervals bear": "" if compared is None else compared.verdict,
    }

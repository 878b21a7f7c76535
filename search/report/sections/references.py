"""What searching brought: members beside references that were written by hand and trained as long."""

from collections import Counter

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
    references = evidence.references.rename(columns={"reference": "network"})
    both = pd.concat([references, evidence.family.rename(columns={"member": "network"})])[
        ["network", "macs", "test_accuracy"]
    ]
    compared = [evidence.compared.get(str(name)) for name in both["network"]]
    table = both.rename(columns={"test_accuracy": "test accuracy"}).assign(
        **{
            "times fewer macs than references": ["" if one is None else one.times_fewer for one in compared],
            "what the intervals bear": ["" if one is None else one.verdict for one in compared],
        }
    )
    return table.sort_values("macs", ignore_index=True)

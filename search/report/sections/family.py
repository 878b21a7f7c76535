"""The exported members with their costs and accuracies."""

from search.report.evidence import Evidence
from search.report.section import Section

ORDER = 10
TITLE = "The family"

TEXT = (
    "The trained models, cheapest first; a budget for which nothing larger is more accurate has the member of a "
    "cheaper one. Search accuracy is on the split that the search saw, test accuracy on the one that it did not; its "
    "spread is over trainings with different seeds."
)


def section(evidence: Evidence) -> Section | None:
    """The family's table."""
    return None if evidence.family.empty else Section(text=TEXT, table=evidence.family)

"""Accuracy against each cost: the trials, their front, and the family."""

from search.report.evidence import COSTS, Evidence
from search.report.front import front_figure
from search.report.importance import scored
from search.report.section import Section

ORDER = 20
TITLE = "Accuracy against cost"

CAPTION = (
    "Trials stop early and family members are trained in full: stars may lie above the front. "
    "Trials far below all others may lie outside the picture."
)


def section(evidence: Evidence) -> Section | None:
    """One picture for each cost that is known."""
    trials = scored(evidence.trials)
    if trials.empty:
        return None
    costs = [*COSTS, *(["latency_ms"] if "latency_ms" in trials else [])]
    return Section(
        figure=front_figure(trials, evidence.family, evidence.references, costs),
        description=(
            f"Accuracy against {', '.join(costs)} for {len(trials)} trials, their front, the family and its references"
        ),
        caption=CAPTION,
        live="front",
    )

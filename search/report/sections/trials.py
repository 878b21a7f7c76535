"""The trials with the values that varied, and why some failed."""

from search.report.evidence import COSTS, PASSES, Evidence
from search.report.importance import addresses, scored
from search.report.section import Section

ORDER = 120
TITLE = "Trials"

MOST_TRIALS = 20


def section(evidence: Evidence) -> Section | None:
    """A table of the best trials."""
    trials = evidence.trials
    if trials.empty:
        return None
    best = scored(trials).sort_values("score", ascending=False).head(MOST_TRIALS)
    effort = ["epochs_run", "seconds", *(["images", PASSES] if PASSES in best else [])]
    origin = ["origin"] if "origin" in best and best["origin"].any() else []
    text = f"Of {len(trials)} trials, {len(scored(trials))} have a score."
    failed = trials.loc[trials["state"] == "fail", "error"].value_counts()
    if len(failed):
        text += " Failed: " + "; ".join(f"{count} x {reason}" for reason, count in failed.items()) + "."
    return Section(
        text=text,
        table=best[["number", "score", *origin, *COSTS, *effort, *addresses(trials)]],
        table_title=f"The {len(best)} best trials",
        live="trials",
    )

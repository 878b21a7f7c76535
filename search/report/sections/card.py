"""All evaluations of the members as one report card: z-scores and ranks."""

from search.evaluation.card import MISSING, OVERALL, RANK, report_card, words_of_rank
from search.report.evidence import Evidence
from search.report.section import Section

ORDER = 104
TITLE = "Report card"

TEXT = (
    "How far each member is above the mean of the members in each evaluation, in standard deviations over the members, "
    "and on average over evaluations. Ranks are given with what they may be (95 %) if every figure is drawn anew from "
    "its own interval."
)


def section(evidence: Evidence) -> Section | None:
    """One row a member, the best first; none where fewer than two were judged by the same figure."""
    if evidence.evaluations.empty:
        return None
    card = report_card(evidence.evaluations)
    if card.empty:
        return None
    shown = card.drop(columns=[RANK, "rank_low", "rank_high", MISSING])
    ranks = card[[RANK, "rank_low", "rank_high"]].itertuples(index=False)
    shown.insert(1, RANK, [words_of_rank(*row) for row in ranks])
    text = f"{TEXT} A dash is an evaluation that was not made of a member." if card[MISSING].any() else TEXT
    return Section(text=text, table=shown.rename(columns={"network": "member", OVERALL: "mean"}), digits=2)

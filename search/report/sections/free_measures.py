"""Which measures that need no training go with the score of a candidate, over the trials of the search."""

import math

import pandas as pd
from scipy.stats import spearmanr

from search.report.evidence import COSTS, Evidence
from search.report.section import Section

ORDER = 86
TITLE = "Free measures"

FEWEST = 10
Z, LARGEST = 1.959964, 0.999999
TEXT = (
    "Rank correlation (Spearman) of what is known of a candidate before it is trained with its score, over the trials "
    "that were trained in full, with an interval of 95 %. A search chooses its trials, so this is no figure of the "
    "space. An interval that holds 0 shows nothing."
)


def section(evidence: Evidence) -> Section | None:
    """One row a measure, the strongest first; none with fewer than ten trials."""
    trials = evidence.trials[evidence.trials["state"] == "complete"].dropna(subset=["score"])
    measures = [name for name in (*COSTS, "resolution") if name in trials and trials[name].nunique() > 1]
    if len(trials) < FEWEST or not measures or trials["score"].nunique() < 2:
        return None
    rows = [(name, len(trials), *correlation(trials[name], trials["score"])) for name in measures]
    table = pd.DataFrame(rows, columns=["measure", "trials", "correlation", "low", "high"])
    return Section(text=TEXT, table=table.sort_values("correlation", key=abs, ascending=False), digits=2)


def correlation(measure: pd.Series, score: pd.Series) -> tuple[float, float, float]:
    """Spearman's, with the interval (95 %) of Bonett & Wright (2000)."""
    value = float(spearmanr(measure.astype(float), score.astype(float)).statistic)
    reach = Z * math.sqrt((1 + value**2 / 2) / (len(score) - 3))
    middle = math.atanh(max(-LARGEST, min(LARGEST, value)))
    return value, math.tanh(middle - reach), math.tanh(middle + reach)

"""What the score was at each share of a mix that networks were pretrained on, and its slope."""

import math
import re
from collections.abc import Iterator

import pandas as pd
from scipy.stats import linregress, t

from search.report.evidence import Evidence
from search.report.section import Section

ORDER = 58
TITLE = "Diversity of the pretraining images"

FEWEST = 6
"""Trials that a slope is fitted to."""
FEWEST_OF_A_SHARE = 3
"""Trials whose mean has an interval."""
CONFIDENCE = 0.95
TEXT = (
    "Mean score of the trials that were trained in full, by the share of an epoch's images that came from elsewhere, "
    "with intervals of 95 % (Student's t). The search chose these trials, and their architectures and recipes differ, "
    "so the slope is what goes with the share and not what it causes."
)


def section(evidence: Evidence) -> Section | None:
    """One row a part of the mix and share; none where no share of a mix differs between trials."""
    trials = evidence.trials[evidence.trials["state"] == "complete"].dropna(subset=["score"])
    parts = {_part(name): name for name in trials.columns if _part(name)}
    varied = {
        part: name for part, name in parts.items() if trials[name].nunique() > 1 and trials[name].count() >= FEWEST
    }
    if not varied:
        return None
    rows = [row for part, name in varied.items() for row in _rows(part, trials[name].astype(float), trials["score"])]
    slopes = [_sentence(part, trials[name].astype(float), trials["score"]) for part, name in varied.items()]
    table = pd.DataFrame(rows, columns=["part", "share", "trials", "score", "low", "high"])
    return Section(text=" ".join([TEXT, *slopes]), table=table, digits=3)


def _part(address: str) -> str:
    """``fractals`` of ``pretraining.mix.fractals``, also below a family; empty for other addresses."""
    match = re.fullmatch(r"pretraining\.(?:\w+\.)?mix\.(fractals|pools)", address)
    return match[1] if match else ""


def _rows(part: str, share: pd.Series, score: pd.Series) -> Iterator[tuple[str, float, int, float, float, float]]:
    for value, own in score.groupby(share):
        middle, reach = float(own.mean()), math.nan
        if len(own) >= FEWEST_OF_A_SHARE:
            reach = float(t.ppf((1 + CONFIDENCE) / 2, len(own) - 1)) * float(own.std()) / math.sqrt(len(own))
        yield part, float(str(value)), len(own), middle, middle - reach, middle + reach


def _sentence(part: str, share: pd.Series, score: pd.Series) -> str:
    low, value, high = slope(share, score)
    told = "" if low > 0 or high < 0 else ", which these trials do not tell from none"
    return f"With a tenth more {part} the score is {value:+.3f} ({low:+.3f} to {high:+.3f}){told}."


def slope(share: pd.Series, score: pd.Series) -> tuple[float, float, float]:
    """Least squares through the trials with both known: change of the score for a tenth of share, in its interval."""
    known = share.notna() & score.notna()
    fitted = linregress(share[known], score[known])
    reach = float(t.ppf((1 + CONFIDENCE) / 2, int(known.sum()) - 2)) * float(fitted.stderr)
    return (float(fitted.slope) - reach) / 10, float(fitted.slope) / 10, (float(fitted.slope) + reach) / 10

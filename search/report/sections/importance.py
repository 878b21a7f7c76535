"""Which dimensions the score depended on."""

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from search.report.drawing import BLUE, GREEN, GREY, ORANGE, PURPLE, new_figure
from search.report.evidence import Evidence
from search.report.importance import FEWEST_TRIALS, Importance
from search.report.section import Section
from spaces.candidate import ROLES

ORDER = 50
TITLE = "Importance of each dimension"

COLOURS = dict(zip(ROLES, (BLUE, ORANGE, PURPLE, GREEN), strict=True))
MOST_BARS = 15


def section(evidence: Evidence) -> Section:
    """Permutation importance with a standard deviation, and how far the forest behind it can be trusted."""
    importance = evidence.importance
    if importance is None:
        return Section(text=f"This needs at least {FEWEST_TRIALS} scored trials and a dimension that varies.")
    reading = "so read it with care" if importance.r2 < 0.3 else "so its order means something"
    text = (
        f"A random forest on the trials explains {max(0.0, importance.r2):.0%} of the variance of held-out trials, "
        f"{reading}. The bars say how much of that is lost when one dimension's values are shuffled."
    )
    return Section(
        text=text,
        figure=_draw(importance),
        description="Importance of each dimension",
        table=importance.table,
        table_title="Importance of all dimensions",
        digits=3,
    )


def _draw(importance: Importance) -> Figure:
    top = importance.table.head(MOST_BARS).iloc[::-1]
    figure, (axis,) = new_figure(1, height=0.9 + 0.28 * len(top))
    roles = [address.partition(".")[0] for address in top["address"]]
    axis.barh(
        top["address"], top["mean"], xerr=top["std"], color=[COLOURS[role] for role in roles], ecolor=GREY, height=0.65
    )
    axis.axvline(0, color=GREY, lw=0.8)
    axis.set(xlabel="drop in R² on held-out trials when its values are shuffled (bar: one standard deviation)")
    legend = [Patch(color=colour, label=role) for role, colour in COLOURS.items() if role in roles]
    axis.legend(handles=legend, loc="lower right")
    return figure

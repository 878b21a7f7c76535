"""Where the time went."""

import pandas as pd
from matplotlib.figure import Figure

from search.report.drawing import BLUE, INK, new_figure
from search.report.evidence import PASSES, Evidence
from search.report.section import Section
from search.words import duration

ORDER = 110
TITLE = "Time"


def section(evidence: Evidence) -> Section | None:
    """Seconds of each stage of the run, and what its trials took together."""
    if evidence.stages.empty:
        return None
    return Section(
        text=_text(evidence.trials),
        figure=_draw(evidence.stages),
        description="Seconds of each stage",
        table=evidence.stages,
        table_title="Seconds by stage",
    )


def _text(trials: pd.DataFrame) -> str:
    trained = duration(float(trials["seconds"].sum()))
    epochs = int(trials["epochs_run"].sum())
    text = f"All trials together trained for {trained} (summed over those that ran at the same time), {epochs} epochs."
    if PASSES in trials:
        images, passes = (int(trials[name].sum()) for name in ("images", PASSES))
        text += f" They drew {images:,} images and made {passes:,} forward-backward passes through one image."
    return text


def _draw(stages: pd.DataFrame) -> Figure:
    figure, (axis,) = new_figure(1, height=0.8 + 0.32 * len(stages))
    bars = axis.barh(stages["name"], stages["seconds"], color=BLUE, height=0.6)
    axis.bar_label(bars, fmt=duration, padding=3, color=INK)
    axis.invert_yaxis()
    axis.set(xlabel="seconds")
    axis.margins(x=0.12)
    return figure

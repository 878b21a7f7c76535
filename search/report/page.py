"""``report.html``: one file, no network, no script: what was tried, what was found, and why to believe it."""

import datetime
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd

from search.files import write_text
from search.report import heatmaps, plots
from search.report.drawing import style, svg
from search.report.evidence import COSTS, ReportData, curves_frame, regret, trials_frame
from search.report.importance import (
    FEWEST_TRIALS,
    Importance,
    importance,
    interaction,
    joint_effect,
    scored,
    training_addresses,
)
from search.words import named
from spaces.candidate import ROLES

__all__ = ["ReportData", "curves_frame", "trials_frame", "write_report"]

TRIALS_SHOWN = 20
PASSES = "passes"
"""Column of the trials that is there, with ``images``, where what they took is known."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading with sentences, a picture and a table; whatever is empty is left out of the page."""

    key: str
    title: str
    text: str = ""
    picture: str = ""
    caption: str = ""
    table: str = ""
    table_title: str = ""
    folded: bool = True


def write_report(run: ReportData, path: Path) -> None:
    """Write the report, and the front as ``front.png`` beside it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    with style():
        sections = list(_sections(run))
    made = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    page = environment.get_template("report.html.j2").render(
        name=run.name,
        settings=run.settings,
        summary=_summary(run),
        sections=sections,
        made=made,
        notices=run.notices,
        searched=named(_roles(run.trials)),
    )
    plots.save_front(run.trials, run.family, path.with_name("front.png"))
    write_text(path, page)


def _summary(run: ReportData) -> dict[str, str]:
    counts = run.trials["state"].value_counts()
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    best = scored(run.trials)["score"]
    return {
        "trials": f"{len(run.trials)} ({states})" if len(counts) else "0",
        "best trial": f"{best.max():.4f}" if len(best) else "none",
        "members": str(len(run.family)),
        "time": _duration(float(run.stages["seconds"].sum())),
    }


def _roles(trials: pd.DataFrame) -> list[str]:
    """Roles that the trials have dimensions of; a run without trials may be of any."""
    return [role for role in ROLES if trials.columns.str.startswith(f"{role}.").any()] or list(ROLES)


def _training(trials: pd.DataFrame) -> str:
    """What besides the architecture was searched: ``recipe``, or ``recipe, pretraining and adaptation``."""
    prefixes = {name.partition(".")[0] for name in training_addresses(scored(trials))}
    return named(role for role in ROLES if role in prefixes)


def _duration(seconds: float) -> str:
    return str(datetime.timedelta(seconds=round(seconds)))


def _sections(run: ReportData) -> Iterator[Section]:
    yield _family(run)
    yield _fronts(run)
    yield _rounds(run)
    yield _predictions(run)
    yield from _what_mattered(run)
    yield _curves(run)
    yield _confusions(run)
    yield _heatmaps(run)
    yield _stages(run)
    yield _trials(run)


def _html(table: pd.DataFrame, digits: int = 4) -> str:
    def number(value: object) -> str:
        if isinstance(value, float):
            if math.isnan(value):
                return "–"
            return f"{int(value):,}" if value.is_integer() and abs(value) >= 1000 else f"{value:.{digits}g}"
        return f"{value:,}" if isinstance(value, int) and abs(value) >= 1000 else str(value)

    cells = table.astype(object).map(number)
    html = cells.to_html(index=False, border=0, classes="data", justify="left")
    return html.replace("<th>", '<th scope="col">')


def _family(run: ReportData) -> Section:
    text = (
        "One trained model for each budget, cheapest first. Search accuracy is on the split that the search saw, test "
    )
    text += "accuracy on the one that it did not; its spread is over trainings with different seeds."
    if not len(run.family):
        text = "The run has no family yet."
    return Section(key="family", title="The family", text=text, table=_html(run.family), folded=False)


def _fronts(run: ReportData) -> Section:
    title = "Accuracy against cost"
    if scored(run.trials).empty:
        return Section(key="front", title=title, text="No trial has a score yet.")
    costs = [*COSTS, *(["latency_ms"] if "latency_ms" in run.trials else [])]
    description = (
        f"Accuracy against {', '.join(costs)} for {len(scored(run.trials))} trials, their front, and the family"
    )
    caption = (
        "Trials stop early and family members are trained in full, with a teacher: stars may lie above the front. "
    )
    caption += "Trials far below all others may lie outside the picture."
    figure = plots.fronts(run.trials, run.family, costs)
    return Section(key="front", title=title, picture=svg(figure, "front", description), caption=caption)


def _rounds(run: ReportData) -> Section:
    text = (
        "Before each round's trials are trained, the predictor ranks them; Kendall tau compares that with what they "
        "reached (1: same order, 0: no relation). Regret is how far the best trial so far within each member's macs "
        "lies below the best of the whole run, so that it ends at 0."
    )
    gaps = regret(run.trials, [float(macs) for macs in run.family["macs"]])
    title = "How well the search knew what it did"
    if run.rounds.empty and gaps.empty:
        return Section(key="rounds", title=title, text="No round has been scored yet.")
    picture = svg(plots.rounds(run.rounds, gaps), "rounds", "Kendall tau by round, and regret by trial")
    return Section(
        key="rounds", title=title, text=text, picture=picture, table=_html(run.rounds), table_title="Figures by round"
    )


def _predictions(run: ReportData) -> Section:
    rows = run.trials[run.trials["score"].notna() & run.trials["predicted_mean"].notna()]
    title = "Predicted against measured"
    if rows.empty:
        return Section(key="predicted", title=title, text="No trial was predicted before it was trained.")
    gap = (rows["score"] - rows["predicted_mean"]).abs()
    inside = float((gap <= plots.Z90 * rows["predicted_std"]).mean())
    text = (
        f"Of {len(rows)} trials that were predicted before they were trained, {inside:.0%} lie in the interval that "
        f"should hold 90 %; the mean absolute error is {gap.mean():.4f}."
    )
    if len(rows) > plots.MOST_LINES:
        text += " Evenly chosen ones are drawn."
    picture = svg(plots.predictions(run.trials), "predicted", "Predicted against measured accuracy of each trial")
    return Section(key="predicted", title=title, text=text, picture=picture)


def _what_mattered(run: ReportData) -> Iterator[Section]:
    found = importance(run.trials)
    if found is None:
        few = f"This needs at least {FEWEST_TRIALS} scored trials and a dimension that varies."
        yield Section(key="importance", title="What mattered", text=few)
    else:
        reading = "so read it with care" if found.r2 < 0.3 else "so its order means something"
        text = (
            f"A random forest on the trials explains {max(0.0, found.r2):.0%} of the variance of held-out trials, "
            f"{reading}. The bars say how much of that is lost when one dimension's values are shuffled."
        )
        picture = svg(plots.importances(found), "importance", "Importance of each dimension")
        yield Section(
            key="importance", title="What mattered", text=text, picture=picture,
            table=_html(found.table, 3), table_title="Importance of all dimensions",
        )  # fmt: skip
        yield from _joint(run, found)
    names = plots.dimensions_to_show(run.trials, found)
    if names and len(scored(run.trials)) > 1:
        picture = svg(plots.parallel(run.trials, names), "parallel", "Parallel coordinates of dimensions and score")
        text = "Each line is a trial, the best on top; it runs through 'off' where a dimension was switched off."
        yield Section(key="parallel", title="Which values went together", text=text, picture=picture)


def _joint(run: ReportData, ranked: Importance) -> Iterator[Section]:
    found = interaction(run.trials)
    if found is None:
        return
    order = ranked.table["address"].tolist()
    strongest = [
        next(name for name in order if name.startswith("architecture.") == architecture)
        for architecture in (True, False)
    ]
    effect = joint_effect(run.trials, *strongest)
    training = _training(run.trials)
    text = (
        f"The forest predicts every pair of an architecture and a {training} that occurred: {found.both:.0%} of the "
        f"variance belongs to neither alone. When the {training} is changed for another, the better of two "
        f"architectures becomes the worse in {found.flips:.0%} of the cases: there the architecture can't be chosen "
        f"without the {training}."
    )
    picture = svg(
        plots.interactions(found, effect, training), "interaction",
        f"Shares of variance: architecture {found.architecture:.0%}, {training} {found.recipe:.0%}, "
        f"pair {found.both:.0%}; mean score by {strongest[0]} and {strongest[1]}",
    )  # fmt: skip
    yield Section(key="interaction", title=f"Architecture and {training} together", text=text, picture=picture)


def _curves(run: ReportData) -> Section:
    if run.curves.empty:
        return Section(key="curves", title="Learning curves", text="No epoch has been recorded.")
    lengths = run.trials.loc[run.trials["epochs_run"] > 0, "epochs_run"]
    text = f"Trials ran {int(lengths.min())} to {int(lengths.max())} epochs, {lengths.mean():.1f} on average."
    if len(lengths) > plots.MOST_LINES:
        text += f" Of {len(lengths)} trials, evenly chosen ones are drawn."
    picture = svg(plots.curves(run.curves, run.trials), "curves", "Accuracy by epoch, with the end of each trial")
    return Section(key="curves", title="Learning curves", text=text, picture=picture)


def _confusions(run: ReportData) -> Section:
    title = "Classes"
    if not run.confusion:
        return Section(key="classes", title=title, text="No member has been tested class by class.")
    picture = svg(plots.confusions(run.confusion, run.classes), "classes", "Confusion of each member")
    per_class = pd.DataFrame({"class": list(run.classes)})
    for name, table in run.confusion.items():
        per_class[name] = (np.diag(table) / np.maximum(table.sum(axis=1), 1)).tolist()
    text = "Share of the images of each true class (row) that a member takes for another one, on the test split."
    return Section(
        key="classes", title=title, text=text, picture=picture, table=_html(per_class), table_title="Accuracy by class"
    )


def _heatmaps(run: ReportData) -> Section:
    title = "Where the members look"
    seen = {name: found for name, found in run.heatmaps.items() if found}
    if not seen:
        return Section(key="gradcam", title=title, text="No member has a convolution whose map could be shown.")
    text = (
        "Grad-CAM of the predicted class on some test images: bright is where the last convolution found what raised "
        "the score of that class. It shows where a network looked, not why it was right."
    )
    picture = svg(heatmaps.draw(seen, run.classes), "gradcam", "Grad-CAM of some test images for each member")
    return Section(key="gradcam", title=title, text=text, picture=picture)


def _stages(run: ReportData) -> Section:
    if run.stages.empty:
        return Section(key="time", title="Time", text="No stage has been timed.")
    trained = _duration(float(run.trials["seconds"].sum()))
    epochs = int(run.trials["epochs_run"].sum())
    text = f"All trials together trained for {trained} (summed over those that ran at the same time), {epochs} epochs."
    if PASSES in run.trials:
        images, passes = (int(run.trials[name].sum()) for name in ("images", PASSES))
        text += f" They drew {images:,} images and made {passes:,} forward-backward passes through one image."
    picture = svg(plots.stages(run.stages), "time", "Seconds of each stage")
    return Section(
        key="time", title="Time", text=text, picture=picture, table=_html(run.stages), table_title="Seconds by stage"
    )


def _trials(run: ReportData) -> Section:
    best = scored(run.trials).sort_values("score", ascending=False).head(TRIALS_SHOWN)
    columns = ["number", "score", *COSTS, "epochs_run", "seconds", *(["images", PASSES] if PASSES in best else [])]
    varied = [name for name in best.columns if name.startswith(tuple(f"{role}." for role in ROLES))]
    varied = [name for name in varied if run.trials[name].nunique(dropna=False) > 1]
    failed = run.trials[run.trials["state"] == "fail"]
    text = f"The {len(best)} best of {len(run.trials)}; the study has them all."
    if len(failed):
        reasons = failed["error"].value_counts() if "error" in failed else pd.Series(dtype=int)
        text += " Failed: " + "; ".join(f"{count} x {reason}" for reason, count in reasons.items()) + "."
    return Section(
        key="trials", title="Trials", text=text, table=_html(best[[*columns, *varied]]), table_title="The best trials"
    )

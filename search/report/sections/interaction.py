"""How far the best architecture depends on how it is trained."""

import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.report.drawing import BLUE, INK, ORANGE, PURPLE, level_text
from search.report.evidence import Evidence
from search.report.importance import Importance, Interaction, interaction, joint_effect, scored, training_addresses
from search.report.section import Section
from search.words import named
from spaces.candidate import ROLES

LEAST_R2 = 0.3
"""A forest that explains less of held-out trials says nothing about pairs that were not trained."""

ORDER = 60
TITLE = "Interaction of architecture and training"


def section(evidence: Evidence) -> Section | None:
    """Shares of variance of architecture, training and their pair, and the mean score by the strongest of each."""
    if evidence.importance is None or evidence.importance.r2 < LEAST_R2:
        return None
    shares = interaction(evidence.trials)
    if shares is None:
        return None
    architecture, other = _strongest(evidence.importance)
    training = _training(evidence.trials)
    flips = f"{shares.flips:.0%} of the cases{_within(shares.flips_interval)}"
    text = (
        f"The forest predicts every pair of an architecture and a {training} that occurred: {shares.both:.0%} of the "
        f"variance{_within(shares.both_interval)} belongs to neither alone. With another {training}, the better of "
        f"two architectures becomes the worse in {flips}: there "
        f"the architecture cannot be chosen without the {training}. Intervals are of 95 %, over trials drawn anew."
    )
    description = (
        f"Shares of variance: architecture {shares.architecture:.0%}, {training} {shares.recipe:.0%}, "
        f"pair {shares.both:.0%}; mean score by {architecture} and {other}"
    )
    effect = joint_effect(evidence.trials, architecture, other)
    return Section(text=text, figure=_draw(shares, effect, training), description=description)


def _within(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f" ({interval[0]:.0%} to {interval[1]:.0%})"


def _strongest(importance: Importance) -> tuple[str, str]:
    """The most important dimension of the architecture, and of all else."""
    order = importance.table["address"].tolist()
    architecture = next(address for address in order if address.startswith("architecture."))
    return architecture, next(address for address in order if not address.startswith("architecture."))


def _training(trials: pd.DataFrame) -> str:
    """What besides the architecture was searched: ``recipe``, or ``recipe, pretraining and adaptation``."""
    prefixes = {name.partition(".")[0] for name in training_addresses(scored(trials))}
    return named(role for role in ROLES if role in prefixes)


def _draw(shares: Interaction, effect: pd.DataFrame, training: str) -> Figure:
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.6))
    _draw_shares(left, shares, training)
    image = right.imshow(effect.to_numpy(dtype=float), cmap="viridis", aspect="auto")
    right.set(ylabel=str(effect.index.name), xlabel=str(effect.columns.name), title="mean score of the trials")
    right.set_xticks(range(effect.shape[1]), [level_text(level) for level in effect.columns], rotation=30, ha="right")
    right.set_yticks(range(effect.shape[0]), [level_text(level) for level in effect.index])
    figure.colorbar(image, ax=right)
    return figure


def _draw_shares(axis: Axes, shares: Interaction, training: str) -> None:
    heights = {
        "architecture": shares.architecture,
        training.replace(", ", ",\n").replace(" and ", "\nand "): shares.recipe,
        "only the pair": shares.both,
    }
    bars = axis.bar(list(heights), list(heights.values()), color=[BLUE, ORANGE, PURPLE], width=0.6)
    axis.bar_label(bars, fmt="{:.0%}", color=INK)
    axis.set(ylim=(0, 1.05), ylabel="share of the predicted variance", title="variance explained")
    axis.yaxis.set_major_formatter(ticker.PercentFormatter(1.0, decimals=0))

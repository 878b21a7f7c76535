"""Runs beside each other: the best of each within every budget, how good each is over all budgets, what differs."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from search.errors import UsageError
from search.evaluation.card import OTHERS, OVERALL, RANK, report_card, words_of_rank
from search.evaluation.results import read_evaluations
from search.family.comparison import wilson
from search.family.members import Family, Member, load_family
from search.identity.document import read_identity
from search.identity.folder import family_folder
from search.identity.identity import deciding_keys
from search.identity.saved import saved
from search.problem.front import pareto_front
from search.words import amount, fraction


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A finished run.

    Attributes:
        name: what it is called beside the others.
        family: what came out of it.
        settings: keys of its configuration that decide what comes out.
        data: identity of its images; empty for runs from before there were any.
        folder: of its family.
    """

    name: str
    family: Family
    settings: Mapping[str, Any]
    data: str
    folder: Path

    @property
    def tested(self) -> list[Member]:
        """Members whose accuracy on test is known, cheapest first."""
        return [member for member in self.family.members if member.test_accuracy is not None]

    @property
    def front(self) -> list[Member]:
        """Those that no other beats on test."""
        members = self.tested
        rows = pareto_front([one.macs for one in members], [one.test_accuracy or 0.0 for one in members])
        return [members[row] for row in rows]

    def best_within(self, macs: float) -> Member | None:
        """The most accurate member on search-validation that is no larger; the test split chooses nothing."""
        fitting = [member for member in self.tested if member.macs <= macs]
        return max(fitting, key=lambda member: member.search_accuracy, default=None)


def read_finished(folders: Sequence[Path]) -> list[Finished]:
    """Finished runs, under names that tell them apart.

    Raises:
        UsageError: fewer than two, or one that holds no run or has no family yet.
    """
    if len(folders) < 2:
        raise UsageError("compare takes at least two runs, such as: python -m search compare runs/a runs/b")
    names = [folder.resolve().name for folder in folders]
    runs = []
    for folder, name in zip(folders, names, strict=True):
        family = load_family(family_folder(folder))
        config, identity = saved(folder), read_identity(folder)
        run = Finished(
            name=name if names.count(name) == 1 else str(folder),
            family=family,
            settings=dict(deciding_keys(config.model_dump(mode="json"))),
            data="" if identity is None else json.dumps(identity.data.to_json(), sort_keys=True),
            folder=folder / "family",
        )
        if not run.tested:
            raise UsageError(f"no member of '{folder}' has been tested; give runs that came to their end")
        runs.append(run)
    return runs


def budgets_of(runs: Sequence[Finished]) -> list[float]:
    """The budgets of all runs, tightest first."""
    return sorted({row.max_macs for run in runs for row in run.family.budgets})


def hypervolume(run: Finished, low: float, high: float) -> float:
    """The test accuracy of the best network within a budget, on average over budgets even in log macs, low to high.

    It is the area below the front in log macs, from accuracy 0 on, as a share of the whole: where a run has no network
    within a budget its accuracy is 0 there.
    """
    front = [member for member in run.front if member.macs <= high]
    edges = np.log([low, *(max(float(member.macs), low) for member in front), high])
    heights = [0.0, *(member.test_accuracy or 0.0 for member in front)]
    return float(np.dot(np.diff(edges), heights) / (math.log(high) - math.log(low)))


def bounds(runs: Sequence[Finished]) -> tuple[float, float]:
    """The cheapest network of all runs, and their largest budget or network, in macs."""
    low = min(run.tested[0].macs for run in runs)
    high = max([*budgets_of(runs), *(float(run.tested[-1].macs) for run in runs)])
    return float(low), high if high > low else 2.0 * low


def rows(runs: Sequence[Finished]) -> list[tuple[str, ...]]:
    """A header, a row a budget, and the hypervolume, as text."""
    low, high = bounds(runs)
    table = [("budget", *(run.name for run in runs))]
    for budget in budgets_of(runs):
        table.append((amount(budget), *(_cell(run, run.best_within(budget)) for run in runs)))
    table.append(("hypervolume", *(fraction(hypervolume(run, low, high)) for run in runs)))
    return table


def _cell(run: Finished, member: Member | None) -> str:
    if member is None or member.test_accuracy is None:
        return "none"
    if not run.family.test_images:
        return f"{fraction(member.test_accuracy)} at {amount(member.macs)}"
    below, above = wilson(member.test_accuracy, run.family.test_images)
    return f"{fraction(member.test_accuracy)} ({fraction(below)}-{fraction(above)}) at {amount(member.macs)}"


def card_rows(runs: Sequence[Finished]) -> list[tuple[str, ...]]:
    """A header, and a row a member of any run, the best first, by all evaluations; empty without two to compare.

    Members are compared where all runs have the same data, so that figures rest on the same images.
    """
    folders = {f"{run.name}/{one.name}": run.folder / one.name for run in runs for one in run.family.members}
    card = report_card(read_evaluations(folders)) if len({run.data for run in runs}) == 1 else pd.DataFrame()
    if card.empty:
        return []
    tasks = [column for column in card.columns if column not in OTHERS]
    table = [("report card", RANK, "mean", *tasks)]
    for one in card.to_dict("records"):
        scores = ("-" if math.isnan(one[column]) else f"{one[column]:+.2f}" for column in (OVERALL, *tasks))
        table.append((one["network"], words_of_rank(one[RANK], one["rank_low"], one["rank_high"]), *scores))
    return table


def differences(runs: Sequence[Finished]) -> list[tuple[str, ...]]:
    """A header, and a row a setting that is not the same in all runs."""
    keys = dict.fromkeys(key for run in runs for key in run.settings)
    table = [("setting", *(run.name for run in runs))]
    for key in keys:
        values = [_value(run.settings, key) for run in runs]
        if len(set(values)) > 1:
            table.append((key, *values))
    return table


def _value(settings: Mapping[str, Any], key: str) -> str:
    text = json.dumps(settings[key], ensure_ascii=False) if key in settings else "-"
    return text if len(text) <= 40 else f"{text[:37]}..."


def remarks(runs: Sequence[Finished]) -> Iterator[str]:
    """What has to be known before one believes the figures."""
    low, high = bounds(runs)
    digests = {run.data for run in runs}
    if len(digests) > 1 and "" not in digests:
        yield "The runs had different images: their accuracies cannot be compared."
    elif len(digests) > 1:
        yield "Whether the runs had the same images is not known."
    yield (
        "Test accuracy with its 95 % interval, at the network's macs. Hypervolume: the test accuracy of the best "
        f"network within a budget, on average over budgets even in log macs from {amount(low)} to {amount(high)}; it "
        "is high by chance where a network was lucky on the test images."
    )

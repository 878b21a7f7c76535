"""What the report of a finished run reads, put together from its study and its family."""

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from search.evaluation.results import read_evaluations
from search.family.folder import load_network
from search.family.members import Family, load_family
from search.family.references import references_table
from search.family.spent import spent
from search.identity.folder import family_folder, read_study
from search.ladder.along import read_along
from search.ladder.rungs import read_ladder
from search.ladder.training import FOLDER
from search.problem.limits import Limits
from search.record.study import Study
from search.record.trial import Trial
from search.report.evidence import Evidence, curves_frame, trials_frame
from search.report.page import write_report
from search.setting.sections.search import SearchSection, words_of_score
from search.setting.setting import Setting
from search.words import amount, named

ROUND_COLUMNS = ["round", "trained", "tau", "tau_without_pretraining", "tau_of_proposals", "stop_epoch"]


def gather(setting: Setting, study: Study, family: Family, folder: Path, page: Path) -> Evidence:
    """The evidence of a run whose family has been exported to a folder, for a page that is to be written."""
    config = setting.config
    ended = [trial for trial in study.trials() if trial.is_finished]
    return Evidence(
        name=config.name,
        trials=_with_effort(trials_frame(ended), setting, ended),
        curves=curves_frame(ended),
        rounds=_rounds(study),
        family=family.table(),
        references=references_table(family.references),
        compared={member.name: member.compared for member in family.members if member.compared is not None},
        stages=_stages(study),
        networks={member.name: load_network(folder / member.name) for member in family.members},
        test=setting.splits.test,
        classes=setting.splits.classes,
        settings={
            "data": config.data.source,
            "space": f"{setting.space.name}, {setting.space.count():.2g} pairs",
            "seed": config.seed,
            "sampler": config.search.sampler,
            "predictor": config.search.predictor,
        },
        asked=_asked(setting),
        budgets=family.budgets,
        candidates={member.name: member.candidate for member in family.members},
        spent={member.name: member.spent["final"] for member in family.members if "final" in member.spent},
        folder=Path(os.path.relpath(folder, page.parent)).as_posix(),
        validation_images=len(setting.splits.validation),
        ladder=read_ladder(config.folder / FOLDER),
        along=read_along(config.folder / FOLDER),
        evaluations=read_evaluations({member.name: folder / member.name for member in family.members}),
        notices=(*(() if setting.device is None else (setting.device.describe(),)), *family.failures),
    )


def write_report_of(setting: Setting) -> Path:
    """Write the page of a finished run anew; returns it."""
    page, family = setting.config.folder / "report.html", family_folder(setting.config.folder)
    write_report(gather(setting, read_study(setting, encoded=False), load_family(family), family, page), page)
    return page


UNITS = {"macs": "{} macs", "params": "{} parameters", "activations": "{} activations", "latency_ms": "{} ms"}
"""Amounts of each cost as people write them."""


def _asked(setting: Setting) -> str:
    """What the run was to find."""
    config, splits = setting.config, setting.splits
    budgets = [UNITS[name].format(amount(bound)) for one in setting.problem.budgets for name, bound in _budget(one)]
    limits = [UNITS[name].format(amount(bound)) for name, bound in setting.problem.limits.bounds().items()]
    within = f", one for each of {len(budgets)} budgets from {budgets[0]} to {budgets[-1]}" if len(budgets) > 1 else ""
    most = f"; none above {named(limits)}" if limits else ""
    return (
        f"Networks of the space {setting.space.name} that tell {len(splits.classes)} classes of {config.data.source} "
        f"apart{within}{most}. {config.search.trials} trials of at most {config.search.epochs} epochs on "
        f"{len(splits.train):,} images, final trainings of {config.family.epochs}.{_judged(config.search)}"
    )


def _judged(search: SearchSection) -> str:
    """What stands for accuracy, if anything does."""
    if not search.weights:
        return ""
    return (
        f" Trials and final trainings were judged by {words_of_score(search)} on search-validation: that is what "
        "stands below as score and as accuracy on search-validation."
    )


def _budget(limits: Limits) -> list[tuple[str, float]]:
    """The one bound of a budget: of macs where it has one."""
    return [*limits.bounds().items()][:1]


def _with_effort(table: pd.DataFrame, setting: Setting, trials: Sequence[Trial]) -> pd.DataFrame:
    """The trials with the ``images`` that each drew and the ``passes`` that it made."""
    epochs = setting.config.search.epochs
    efforts = [
        spent(trial.candidate, setting.splits, epochs=epochs, reached=len(trial.reports), seconds=trial.seconds)
        for trial in trials
    ]
    return table.assign(images=[effort.images for effort in efforts], passes=[effort.passes for effort in efforts])


def _rounds(study: Study) -> pd.DataFrame:
    notes = {key: value for key, value in study.notes.items() if key.startswith("round.")}
    rows = [{"round": int(key.removeprefix("round.")), **value} for key, value in notes.items()]
    return pd.DataFrame(rows, columns=ROUND_COLUMNS).sort_values("round").astype({"tau": float})


def _stages(study: Study) -> pd.DataFrame:
    notes = {key: value for key, value in study.notes.items() if key.startswith("seconds.")}
    rows = [(key.removeprefix("seconds."), value) for key, value in notes.items()]
    return pd.DataFrame(rows, columns=["name", "seconds"])

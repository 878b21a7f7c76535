"""What the report of a finished run reads, put together from its study and its family."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from search.family.folder import load_network
from search.family.members import Family
from search.family.references import references_table
from search.family.spent import spent
from search.record.study import Study
from search.record.trial import Trial
from search.report.evidence import Evidence, curves_frame, trials_frame
from search.setting.setting import Setting

ROUND_COLUMNS = ["round", "trained", "tau", "tau_without_pretraining", "tau_of_proposals", "stop_epoch"]


def gather(setting: Setting, study: Study, family: Family, folder: Path) -> Evidence:
    """The evidence of a run whose family has been exported to a folder."""
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
        notices=(*(() if setting.device is None else (setting.device.describe(),)), *family.failures),
    )


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

"""What a finished run shows: the tables of its report, put together from the study and the family."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from search.family.members import Family, Member, TrialRecord
from search.family.spent import spent
from search.record.study import Study
from search.report.evidence import ReportData, curves_frame, trials_frame
from search.report.heatmaps import heatmaps
from search.setting.setting import Setting
from trainables.deploy import Deployable
from trainables.final.jobs import FinalJob, network_of
from trainables.training.trial import scores

ROUND_COLUMNS = ["round", "trained", "tau", "tau_without_pretraining", "tau_of_proposals", "stop_epoch"]


def report_data(setting: Setting, study: Study, family: Family) -> ReportData:
    """The tables of the report of a run whose family has been exported."""
    config = setting.config
    records = [record.as_trial for record in study.records() if record.is_finished]
    confusion, seen = {}, {}
    for member in family.members:
        network = _network(setting, member)
        confusion[member.name] = _confusion(setting, network)
        seen[member.name] = heatmaps(network, setting.splits.test)
    return ReportData(
        name=config.name,
        trials=_with_cost(trials_frame(records), setting, records),
        curves=curves_frame(records),
        rounds=_rounds(study),
        family=family.table(),
        stages=_stages(study),
        confusion=confusion,
        heatmaps=seen,
        classes=setting.splits.classes,
        settings={
            "data": config.data.source,
            "space": f"{setting.space.name}, {setting.space.count():.2g} pairs",
            "seed": config.seed,
            "sampler": config.search.sampler,
            "predictor": config.search.predictor,
        },
        notices=() if setting.device is None else (setting.device.describe(),),
    )


def _with_cost(trials: pd.DataFrame, setting: Setting, records: Sequence[TrialRecord]) -> pd.DataFrame:
    """The trials with what each took: ``images`` drawn and ``passes`` made."""
    epochs = setting.config.search.epochs
    took = [
        spent(record.candidate, setting.splits, epochs=epochs, reached=len(record.curve), seconds=record.seconds)
        for record in records
    ]
    return trials.assign(images=[one.images for one in took], passes=[one.passes for one in took])


def _confusion(setting: Setting, network: Deployable) -> NDArray[np.int64]:
    """Counts of the test images by true class (rows) and predicted class (columns)."""
    predicted_N = scores(network, setting.splits.test).argmax(1).numpy()
    classes = len(setting.splits.classes)
    cell_N = setting.splits.test.label_N * classes + predicted_N
    return np.bincount(cell_N, minlength=classes**2).reshape(classes, classes)


def _network(setting: Setting, member: Member) -> Deployable:
    job = FinalJob(
        name=Path(member.checkpoint).stem, candidate=member.candidate, epochs=setting.config.family.epochs, seed=0
    )
    return network_of(job, setting.splits, setting.place.final)


def _rounds(study: Study) -> pd.DataFrame:
    notes = {key: value for key, value in study.notes.items() if key.startswith("round.")}
    rows = [{"round": int(key.removeprefix("round.")), **value} for key, value in notes.items()]
    return pd.DataFrame(rows, columns=ROUND_COLUMNS).sort_values("round").astype({"tau": float})


def _stages(study: Study) -> pd.DataFrame:
    notes = {key: value for key, value in study.notes.items() if key.startswith("seconds.")}
    rows = [(key.removeprefix("seconds."), value) for key, value in notes.items()]
    return pd.DataFrame(rows, columns=["name", "seconds"])

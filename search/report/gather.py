"""What the report of a finished run reads, put together from its study and its family."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from search.family.members import Family, Member, TrialRecord
from search.family.spent import spent
from search.record.study import Study
from search.report.evidence import Evidence, curves_frame, trials_frame
from search.setting.setting import Setting
from trainables.deploy import Deployable
from trainables.final.jobs import FinalJob, network_of

ROUND_COLUMNS = ["round", "trained", "tau", "tau_without_pretraining", "tau_of_proposals", "stop_epoch"]


def gather(setting: Setting, study: Study, family: Family) -> Evidence:
    """The evidence of a run whose family has been exported."""
    config = setting.config
    records = [record.as_trial for record in study.records() if record.is_finished]
    return Evidence(
        name=config.name,
        trials=_with_effort(trials_frame(records), setting, records),
        curves=curves_frame(records),
        rounds=_rounds(study),
        family=family.table(),
        stages=_stages(study),
        networks={member.name: _network(setting, member) for member in family.members},
        test=setting.splits.test,
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


def _with_effort(trials: pd.DataFrame, setting: Setting, records: Sequence[TrialRecord]) -> pd.DataFrame:
    """The trials with the ``images`` that each drew and the ``passes`` that it made."""
    epochs = setting.config.search.epochs
    efforts = [
        spent(record.candidate, setting.splits, epochs=epochs, reached=len(record.curve), seconds=record.seconds)
        for record in records
    ]
    return trials.assign(images=[effort.images for effort in efforts], passes=[effort.passes for effort in efforts])


def _network(setting: Setting, member: Member) -> Deployable:
    job = FinalJob(
        name=Path(member.checkpoint).stem, candidate=member.candidate, epochs=setting.config.family.epochs, seed=0
    )
    return network_of(job, setting.splits, setting.place.final).eval()


def _rounds(study: Study) -> pd.DataFrame:
    notes = {key: value for key, value in study.notes.items() if key.startswith("round.")}
    rows = [{"round": int(key.removeprefix("round.")), **value} for key, value in notes.items()]
    return pd.DataFrame(rows, columns=ROUND_COLUMNS).sort_values("round").astype({"tau": float})


def _stages(study: Study) -> pd.DataFrame:
    notes = {key: value for key, value in study.notes.items() if key.startswith("seconds.")}
    rows = [(key.removeprefix("seconds."), value) for key, value in notes.items()]
    return pd.DataFrame(rows, columns=["name", "seconds"])

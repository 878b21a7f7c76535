"""A run's own trials as a table to replay."""

import json
from pathlib import Path

import optuna
import pandas as pd
from optuna.storages.journal import JournalFileBackend

from spaces.candidate import Candidate
from spaces.mistake import Mistake


def export_run(run_dir: Path, path: Path) -> None:
    """Write a finished study as a table: ``path`` (JSON) and the parquet beside it.

    Dimensions that a candidate does not use (their condition was off) get the value ``inactive``.

    Args:
        run_dir: folder with ``study.journal``.
        path: ``NAME.json`` to be written.

    Raises:
        Mistake: no such study, or no finished trials in it.
    """
    frame, roles = _study_rows(run_dir)
    dimensions = []
    for address, role in roles.items():
        column = frame[address]
        numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        values = sorted(column.unique().tolist(), key=lambda value: value if numeric else str(value))
        kind = "ordinal" if numeric else "categorical"
        dimensions.append({"name": address, "role": role, "type": kind, "log": False, "values": values})
    description = {
        "name": path.stem,
        "rows": len(frame),
        "complete_grid": False,
        "dimensions": dimensions,
        "metric": {"column": "accuracy", "direction": "maximize", "seed_columns": []},
        "statistics": [name for name in ("macs", "params") if name in frame],
        "measured_costs": [],
        "source": f"study of {run_dir.name}",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path.with_suffix(".parquet"), index=False)
    path.write_text(json.dumps(description, indent=1), encoding="utf-8")


def _study_rows(run_dir: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """One row per distinct candidate that was trained in full (mean over repeats), and the role of each dimension."""
    journal = run_dir / "study.journal"
    if not journal.is_file():
        raise Mistake(f"{journal} does not exist: give the folder of a run")
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(journal)))
    rows: list[dict[str, object]] = []
    roles: dict[str, str] = {}
    for name in optuna.get_all_study_names(storage):
        for trial in optuna.load_study(study_name=name, storage=storage).get_trials(
            deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,)
        ):
            values = Candidate.from_dict(trial.user_attrs["candidate"]).by_address
            statistics = trial.user_attrs["statistics"]
            rows.append({"accuracy": trial.value, **{k: statistics[k] for k in ("macs", "params")}, **values})
            roles |= {address: address.partition(".")[0] for address in values}
    if not rows:
        raise Mistake(f"the study in {run_dir} has no finished trials")
    frame = pd.DataFrame(rows)
    for address in roles:
        if frame[address].isna().any():
            frame[address] = frame[address].map(str, na_action="ignore").fillna("inactive")
    averaged = frame.groupby(list(roles), as_index=False, sort=False).mean(numeric_only=True)
    below = [address.partition(".")[2] for address in roles]
    short = {address: name for address, name in zip(roles, below, strict=True) if below.count(name) == 1}
    return averaged.rename(columns=short), {short.get(address, address): role for address, role in roles.items()}

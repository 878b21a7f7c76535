"""A small recorded table."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


def write(folder: Path, change: dict[str, Any] | None = None, frame: pd.DataFrame | None = None) -> Path:
    rows = [(w, o, lr) for w in (8, 16, 32) for o in ("adam", "sgd") for lr in (0.1, 0.01)]
    recorded = pd.DataFrame(rows, columns=["width", "optimizer", "lr"])
    recorded["loss"] = np.arange(len(recorded), dtype=float)
    recorded["loss_0"], recorded["loss_1"] = recorded.loss - 0.5, recorded.loss + 0.5
    recorded.loc[3, "loss_1"] = np.nan
    recorded["macs_millions"] = recorded.width / 8.0
    recorded["params"] = recorded.width * 10
    description = {
        "name": "small",
        "dimensions": [
            {"name": "lr", "role": "recipe", "type": "ordinal", "values": [0.01, 0.1]},
            {"name": "width", "role": "architecture", "type": "ordinal", "values": [8, 16, 32]},
            {"name": "optimizer", "role": "recipe", "type": "categorical", "values": ["adam", "sgd"]},
        ],
        "metric": {"column": "loss", "direction": "minimize", "seed_columns": ["loss_0", "loss_1"]},
        "statistics": ["macs_millions", "params"],
    }
    path = folder / "small.json"
    path.write_text(json.dumps(description | (change or {})))
    (recorded if frame is None else frame).to_parquet(path.with_suffix(".parquet"))
    return path

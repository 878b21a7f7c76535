"""FBNetV3's claim: a predictor that learnt free statistics first ranks better after few trainings.

``pytest -m benchmark -s tests/benchmarks/test_predictor_pretraining.py`` reads the tables of ``spaces/priors``
and of the folder ``$NARS_TABLES``, if it is set. Scores are single seeds, the truth their mean.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from predictors import gp, mlp
from predictors.parts.agreement import kendall_tau
from predictors.protocol import Predictor
from search.replay import tables as recorded
from search.replay.tables import Table
from spaces.encoding import encode, layout
from tests.places import ROOT

SIZES, SEEDS, TESTED, FREE = (8, 16, 32, 64, 128), 5, 500, 1000
FOLDERS = [ROOT / "spaces" / "priors", *([Path(os.environ["NARS_TABLES"])] if "NARS_TABLES" in os.environ else [])]
TABLES = [path for folder in FOLDERS for path in sorted(folder.glob("*.json"))]


def ranked(table: Table, size: int, seed: int) -> dict[str, float]:
    """Tau on unseen rows of each predictor, with pretraining on statistics and without, from ``size`` rows."""
    rng = np.random.default_rng((seed, size))
    row_N, label_N = rng.permutation(len(table.truth_N)), table.one_seed(rng)
    seen, unseen, free = row_N[:size], row_N[size : size + TESTED], row_N[size : size + FREE]
    x_NF, s_NK, columns = encode(table.space, table.codes_ND), table.statistics_NK, layout(table.space)
    none_NK = s_NK[:, :0]

    def tau(model: Predictor, statistics_NK: np.ndarray, pretrain: bool) -> float:
        if pretrain:
            model.pretrain(x_NF[free], statistics_NK[free])
        model.fit(x_NF[seen], statistics_NK[seen], label_N[seen])
        return kendall_tau(model.predict(x_NF[unseen], statistics_NK[unseen]).mean_N, table.truth_N[unseen])

    def network() -> mlp.Model:
        return mlp.Model(layout=columns, rng=np.random.default_rng(seed))

    def process() -> gp.Model:  # intervals do not change the mean
        return gp.Model(layout=columns, rng=np.random.default_rng(seed), intervals="shared")

    return {
        "mlp": tau(network(), s_NK, pretrain=False),
        "mlp, pretrained": tau(network(), s_NK, pretrain=True),
        "gp, no statistics": tau(process(), none_NK, pretrain=False),
        "gp": tau(process(), s_NK, pretrain=False),
        "gp, pretrained": tau(process(), s_NK, pretrain=True),
    }


def shown(frame: pd.DataFrame) -> pd.DataFrame:
    """Means of each table and size, and differences with Student's 95 % half-width over seeds."""
    rows = []
    for (table, size), part in frame.groupby(["table", "trials"], sort=True):
        row: dict[str, object] = {"table": table, "trials": size, "seeds": len(part)}
        row |= {arm: round(part[arm].mean(), 3) for arm in frame.columns[3:]}
        for name, one, other in (
            ("mlp", "mlp", "mlp, pretrained"),
            ("gp", "gp", "gp, pretrained"),
            ("statistics", "gp, no statistics", "gp, pretrained"),
        ):
            gain_S = part[other] - part[one]
            half = stats.t.ppf(0.975, len(part) - 1) * stats.sem(gain_S) if len(part) > 1 else np.nan
            row[f"+{name}"] = f"{gain_S.mean():+.3f} ± {half:.3f}"
        rows.append(row)
    return pd.DataFrame(rows)


@pytest.mark.benchmark
@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_rank_correlation_with_and_without_pretraining_on_statistics(path: Path) -> None:
    torch.set_num_threads(1)
    table = recorded.load(path)
    sizes = [size for size in SIZES if len(table.truth_N) >= size + 100]
    records = [
        {"table": table.name, "trials": size, "seed": seed, **ranked(table, size, seed)}
        for size in sizes
        for seed in range(SEEDS)
    ]
    print("\n" + shown(pd.DataFrame(records)).to_string(index=False))
    assert all(np.isfinite(list(record.values())[3:]).all() for record in records)

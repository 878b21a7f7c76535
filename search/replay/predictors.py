"""How well each predictor would have served on recorded trials, at every size of study.

From the shell: ``python -m search replay TABLE.json --predictors NAME [NAME ...]``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from predictors.parts.agreement import (
    interval_coverage,
    kendall_tau,
    spearman,
    tau_in_top_quarter,
    tau_of_best_per_group,
    top_k_regret,
)
from predictors.protocol import Prediction
from search.learning.fitting import check, learn, predict
from search.problem.problem import Observations
from search.replay import tables as recorded
from search.replay.tables import Table
from spaces.mistake import Mistake

SIZES = (5, 20, 50, 100, 200)
TESTED = 2500
"""At most this many unseen rows are predicted."""

FREE = 2500
"""At most this many rows lend their statistics, never their scores, to pretraining."""

FEWEST = 20
"""At least this many unseen rows are needed: the best ten of ten rows are no choice, and quarters need a few rows."""

MEASURES = ("tau", "tau_top_quarter", "tau_best_per_architecture", "spearman", "top_10_regret", "coverage_90")


def compare(
    table: Table, names: Sequence[str], sizes: Sequence[int] = SIZES, seeds: int = 5, pretrain: bool = True
) -> pd.DataFrame:
    """Fit predictors to single noisy scores of a few rows and compare them with the truth of unseen ones.

    Every predictor sees the same rows and labels. A size is left out where it would leave fewer rows to test than it
    takes to train, or fewer than ``FEWEST``.

    Args:
        table: recorded trials.
        names: file names in ``predictors/``.
        sizes: numbers of scored rows.
        seeds: repetitions; each draws its own rows and labels.
        pretrain: whether predictors may learn from the statistics of the unseen rows.

    Returns:
        One row per (table, predictor, trials, seed) with the columns ``MEASURES`` and ``coverage_90_noisy``: single
        scores within intervals that include the noise.

    Raises:
        Mistake: no predictor, no size that fits the table, a size below 2, no seed, or a predictor that needs a cost
            which the table does not have.
        UnknownComponent: a predictor that does not exist.
    """
    possible, problem = _possible(table, names, sizes, seeds), recorded.unlimited(table)
    for name in names:
        check(name, problem)  # before anything is fitted
    records = []
    for size in possible:
        for seed in range(seeds):
            rng = np.random.default_rng((seed, size))
            row_N = rng.permutation(len(table.truth_N))
            seen, unseen = row_N[:size], row_N[size : size + TESTED]
            label_N = table.one_seed(rng)
            observed = Observations(codes_ND=table.codes_ND[seen], score_N=label_N[seen])
            free_ND = table.codes_ND[unseen[:FREE]] if pretrain else None
            for name in names:
                model = learn(name, problem, observed, rng=np.random.default_rng(seed), free_ND=free_ND)
                prediction = predict(model, problem, table.codes_ND[unseen])
                measured = _measures(prediction, table, unseen, label_N[unseen])
                records.append({"table": table.name, "predictor": name, "trials": size, "seed": seed, **measured})
    return pd.DataFrame.from_records(records)


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds of ``compare``'s result, one row per (table, trials, predictor)."""
    keys = ["table", "trials", "predictor"]
    return frame.groupby(keys, sort=True)[[*MEASURES, "coverage_90_noisy"]].mean().round(3)


def compare_files(
    tables: Sequence[Path], names: Sequence[str], sizes: Sequence[int], seeds: int, out: Path
) -> pd.DataFrame:
    """``compare`` on each recorded table; writes ``predictors.csv``, one row per seed, into ``out``.

    Returns:
        The ``summary`` of all tables.

    Raises:
        Mistake: no tables, one that cannot be read, or what ``compare`` refuses.
    """
    if not tables:
        raise Mistake("predictors are compared on recorded tables, given none: name at least one TABLE.json")
    loaded = [recorded.load(path) for path in tables]
    frame = pd.concat([compare(table, names, sizes, seeds) for table in loaded], ignore_index=True)
    out.mkdir(parents=True, exist_ok=True)
    frame.to_csv(out / "predictors.csv", index=False)
    return summary(frame)


def _possible(table: Table, names: Sequence[str], sizes: Sequence[int], seeds: int) -> list[int]:
    """The sizes that leave enough rows to test."""
    rows = len(table.truth_N)
    if rows < FEWEST + 2:
        raise Mistake(f"table '{table.name}' has {rows} rows; to fit and test a predictor takes at least {FEWEST + 2}")
    possible = [size for size in sizes if rows - size >= max(size, FEWEST)]
    if not names or not possible or min(sizes) < 2 or seeds < 1:
        raise Mistake(
            f"a predictor, sizes from 2 to {min(rows // 2, rows - FEWEST)} and at least one seed are needed for table "
            f"'{table.name}' of {rows} rows; given predictors {list(names)}, sizes {list(sizes)} and {seeds} seeds"
        )
    return possible


def _measures(
    prediction: Prediction, table: Table, rows: NDArray[np.intp], label_M: NDArray[np.float64]
) -> Mapping[str, float]:
    truth_M = table.truth_N[rows]
    shape = [column for column, address in enumerate(table.space.addresses) if address.startswith("architecture.")]
    # architectures as numbers, so that rows of one architecture group together
    _, architecture_M = np.unique(table.codes_ND[rows][:, shape], axis=0, return_inverse=True)
    return {
        "tau": kendall_tau(prediction.mean_N, truth_M),
        "tau_top_quarter": tau_in_top_quarter(prediction.mean_N, truth_M),
        "tau_best_per_architecture": tau_of_best_per_group(prediction.mean_N, truth_M, architecture_M.ravel()),
        "spearman": spearman(prediction.mean_N, truth_M),
        "top_10_regret": top_k_regret(prediction.mean_N, truth_M, k=10),
        "coverage_90": interval_coverage(prediction, truth_M),
        "coverage_90_noisy": interval_coverage(prediction, label_M, noisy=True),
    }

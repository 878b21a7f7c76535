"""How well each predictor would have served on recorded trials, at every size of study."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from predictors.agreement import (
    interval_coverage,
    kendall_tau,
    spearman,
    tau_in_top_quarter,
    tau_of_best_per_group,
    top_k_regret,
)
from predictors.protocol import Prediction, Predictor
from search.tables import Table
from spaces.components import PREDICTORS, load
from spaces.encoding import encode, layout

SIZES = (5, 20, 50, 100, 200)
TESTED = 2500
"""At most this many unseen rows are predicted."""

FREE = 2500
"""At most this many rows lend their statistics, never their scores, to pretraining."""

MEASURES = ("tau", "tau_top_quarter", "tau_best_per_architecture", "spearman", "top_10_regret", "coverage_90")


def compare(
    table: Table, names: Sequence[str], sizes: Sequence[int] = SIZES, seeds: int = 5, pretrain: bool = True
) -> pd.DataFrame:
    """Fit predictors to single noisy scores of a few rows and compare them with the truth of unseen ones.

    Every predictor sees the same rows and labels. A size is left out where it would leave fewer rows to test than it
    takes to train.

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
        ValueError: no size fits the table, or a size or the number of seeds is below 2 or 1.
    """
    fitting = [size for size in sizes if 2 * size <= len(table.truth_N)]
    if not fitting or min(sizes) < 2 or seeds < 1:
        raise ValueError(
            f"sizes from 2 to {len(table.truth_N) // 2} and at least one seed are needed for table '{table.name}', "
            f"given sizes {list(sizes)} and {seeds} seeds"
        )
    x_NF = encode(table.space, table.codes_ND)
    records = []
    for size in fitting:
        for seed in range(seeds):
            rng = np.random.default_rng((seed, size))
            row_N = rng.permutation(len(table.truth_N))
            seen, unseen = row_N[:size], row_N[size : size + TESTED]
            label_N = single_seed_scores(table.scores_NS, rng)
            for name in names:
                model = _model(name, table, seed)
                if pretrain:
                    free = unseen[:FREE]
                    model.pretrain(x_NF[free], table.statistics_NK[free])
                model.fit(x_NF[seen], table.statistics_NK[seen], label_N[seen])
                prediction = model.predict(x_NF[unseen], table.statistics_NK[unseen])
                measured = _measures(prediction, table, unseen, label_N[unseen])
                records.append({"table": table.name, "predictor": name, "trials": size, "seed": seed, **measured})
    return pd.DataFrame.from_records(records)


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds of ``compare``'s result, one row per (table, trials, predictor)."""
    keys = ["table", "trials", "predictor"]
    return frame.groupby(keys, sort=True)[[*MEASURES, "coverage_90_noisy"]].mean().round(3)


def single_seed_scores(scores_NS: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """One recorded seed of each row at random, (N,): what a search that trains once would have seen."""
    order_NS = np.where(np.isfinite(scores_NS), rng.random(scores_NS.shape), np.inf)
    chosen: NDArray[np.float64] = scores_NS[np.arange(len(scores_NS)), order_NS.argmin(axis=1)]
    return chosen


def _model(name: str, table: Table, seed: int) -> Predictor:
    model: Predictor = load(PREDICTORS, name).Model(layout=layout(table.space), rng=np.random.default_rng(seed))
    return model


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
        "top_10_regret": top_k_regret(prediction.mean_N, truth_M, k=min(10, len(truth_M))),
        "coverage_90": interval_coverage(prediction, truth_M),
        "coverage_90_noisy": interval_coverage(prediction, label_M, noisy=True),
    }

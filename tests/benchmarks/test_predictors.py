"""Rank agreement and interval coverage of predictors on recorded trials, by number of trials.

Run with ``NARS_TABLES=FOLDER pytest -m benchmark -s tests/benchmarks/test_predictors.py``, FOLDER holding tables as
``search.replay.tables`` reads them. Every predictor sees the same single-seed scores; the truth is the mean over seeds.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from predictors import gp
from predictors.parts import transfer
from predictors.parts.agreement import kendall_tau
from predictors.parts.targets import targets
from search.replay import tables as recorded
from search.replay.predictors import SIZES, TESTED, compare, summary
from spaces.encoding import encode, layout

FOLDER = Path(os.environ.get("NARS_TABLES", "tables"))
TABLES = sorted(FOLDER.glob("*.json"))
PREDICTORS = ("gp", "boosting", "rank_by_macs")
SEEDS = 3


@pytest.mark.benchmark
@pytest.mark.skipif(not TABLES, reason=f"no recorded tables in '{FOLDER}'; set NARS_TABLES to a folder of them")
@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_tau_and_coverage(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = recorded.load(path)
    names = [name for name in PREDICTORS if name != "rank_by_macs" or "macs" in table.costs]
    sizes = [size for size in SIZES if len(table.truth_N) >= 2 * size]
    result = summary(compare(table, names, sizes, seeds=SEEDS)).reset_index()
    with capsys.disabled():
        print("\n" + result[["trials", "predictor", "tau", "tau_top_quarter", "coverage_90"]].to_string(index=False))
    gp = result[result.predictor == "gp"].set_index("trials")
    assert gp.tau[100] > gp.tau[5]
    assert (gp.coverage_90[20:] > 0.6).all()  # far below the 0.9 meant: an alarm, not the target
    if "rank_by_macs" in names:
        least = result[result.predictor == "rank_by_macs"].set_index("trials")
        assert gp.tau[200] > least.tau[200]


PAST, FIVE = 200, 5
PAIRS = [
    (a, b)
    for one, other in (("hpolib_protein", "hpolib_parkinsons"), ("hpobench_vehicle", "hpobench_australian"))
    for a, b in ((one, other), (other, one))
    if {FOLDER / f"{a}.json", FOLDER / f"{b}.json"} <= set(TABLES)
]
"""Tables, and others on the same space."""


@pytest.mark.benchmark
@pytest.mark.skipif(not PAIRS, reason=f"no two tables on one space in '{FOLDER}'; set NARS_TABLES to a folder of them")
@pytest.mark.parametrize(("name", "past"), PAIRS)
def test_tau_after_five_trainings_with_transfer(name: str, past: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The past is one search of 200 uniform trials on the other table."""
    table, other = (recorded.load(FOLDER / f"{stem}.json") for stem in (name, past))
    x_NF, columns = encode(table.space, table.codes_ND), layout(table.space)
    tau: dict[str, list[float]] = {"past alone": [], "transfer": [], "cold": []}
    for seed in range(8):
        rng = np.random.default_rng((seed, FIVE))
        row_N, label_N = rng.permutation(len(table.truth_N)), table.one_seed(rng)
        seen, unseen = row_N[:FIVE], row_N[PAST : PAST + TESTED]
        earlier, old_N = rng.permutation(len(other.truth_N))[:PAST], other.one_seed(rng)
        source = gp.Model(layout=columns, rng=rng)
        old_x_NF = encode(other.space, other.codes_ND[earlier])
        source.fit(old_x_NF, other.statistics_NK[earlier], targets(old_N[earlier]).t_N)
        new = x_NF[unseen], table.statistics_NK[unseen]
        tau["past alone"].append(kendall_tau(source.predict(*new).mean_N, table.truth_N[unseen]))
        for kind, model in (
            ("transfer", transfer.Model(layout=columns, rng=rng, earlier=[source])),
            ("cold", gp.Model(layout=columns, rng=rng)),
        ):
            model.pretrain(*new)
            model.fit(x_NF[seen], table.statistics_NK[seen], label_N[seen])
            tau[kind].append(kendall_tau(model.predict(*new).mean_N, table.truth_N[unseen]))
    with capsys.disabled():
        means = ", ".join(f"{kind} {np.mean(t):.3f} ± {np.std(t) / 8**0.5:.3f}" for kind, t in tau.items())
        print(f"\n{name} after five trainings, past {past}: tau {means}")
    assert np.mean(tau["transfer"]) > np.mean(tau["cold"])

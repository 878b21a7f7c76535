"""The main job with five seeds beside hand-written networks trained as long: figures of docs/joint.md and README."""

import contextlib
import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from search.__main__ import main
from search.family.members import is_complete, load_family
from tests.places import ROOT

pytestmark = pytest.mark.benchmark

SEEDS = 5
DRAWS = 4000
"""Bootstraps over seeds."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one seed gave; B budgets, R references, cheapest first.

    Attributes:
        macs_B, search_B, test_B: of each budget's member.
        reference_macs_R, reference_search_R, reference_test_R: of the hand-written networks.
        best_B: which of these is the best on search-validation within each budget.
    """

    macs_B: NDArray[np.float64]
    search_B: NDArray[np.float64]
    test_B: NDArray[np.float64]
    reference_macs_R: NDArray[np.float64]
    reference_search_R: NDArray[np.float64]
    reference_test_R: NDArray[np.float64]
    best_B: NDArray[np.intp]


def row(family_folder: Path) -> Row:
    family = load_family(family_folder)
    members = {member.name: member for member in family.members}
    of_budget = [members[budget.member] for budget in family.budgets if budget.member is not None]
    assert len(of_budget) == len(family.budgets), "a budget has no member"
    references = sorted(family.references, key=lambda reference: reference.macs)
    search_R = np.array([reference.search_accuracy for reference in references])
    macs_R = np.array([float(reference.macs) for reference in references])
    within = [np.flatnonzero(macs_R <= (budget.max_macs or np.inf)) for budget in family.budgets]
    return Row(
        macs_B=np.array([float(member.macs) for member in of_budget]),
        search_B=np.array([member.search_accuracy for member in of_budget]),
        test_B=np.array([member.test_accuracy or np.nan for member in of_budget]),
        reference_macs_R=macs_R,
        reference_search_R=search_R,
        reference_test_R=np.array([reference.test_accuracy or np.nan for reference in references]),
        best_B=np.array([rows[search_R[rows].argmax()] for rows in within]),
    )


def times_fewer(rows: list[Row]) -> NDArray[np.float64]:
    """By how much the macs of references of the same mean test accuracy exceed those of the members, by budget.

    The references' mean accuracies, never falling, are interpolated along the logarithm of their macs; infinite where
    no reference is as accurate.
    """
    log_macs_R = np.log(rows[0].reference_macs_R)
    reference_R = np.maximum.accumulate(np.mean([one.reference_test_R for one in rows], axis=0))
    member_B = np.mean([one.test_B for one in rows], axis=0)
    log_macs_B = np.mean([np.log(one.macs_B) for one in rows], axis=0)
    first_of_equal = np.concatenate([[True], np.diff(reference_R) > 0])
    matched_B = np.interp(member_B, reference_R[first_of_equal], log_macs_R[first_of_equal])
    matched_B[member_B > reference_R[-1]] = np.inf
    return np.exp(matched_B - log_macs_B)


def test_five_seeds_beside_hand_written_networks(tmp_path: Path) -> None:
    """Set NARS_MAIN_JOB to a folder to go on with what an earlier attempt finished."""
    runs = Path(os.environ.get("NARS_MAIN_JOB", tmp_path))
    rows = []
    for seed in range(SEEDS):
        folder = runs / f"seed-{seed}"
        if not is_complete(folder / "digits" / "family"):
            folder.mkdir(parents=True, exist_ok=True)
            text = (ROOT / "configs" / "digits.yaml").read_text().replace("\nseed: 0\n", f"\nseed: {seed}\n")
            (folder / "digits.yaml").write_text(text)
            with contextlib.redirect_stdout(io.StringIO()):
                assert main(["run", str(folder / "digits.yaml"), "--runs", str(folder)]) == 0
        rows.append(row(folder / "digits" / "family"))
        pairs = zip(rows[-1].search_B, rows[-1].reference_search_R[rows[-1].best_B], strict=True)
        print(seed, *(f"{member:.3f}/{reference:.3f}" for member, reference in pairs), f"{rows[-1].test_B.mean():.4f}")
    for name in ("search", "test"):
        gain_SB = 100 * np.array(
            [getattr(one, f"{name}_B") - getattr(one, f"reference_{name}_R")[one.best_B] for one in rows]
        )
        half_B = stats.t.ppf(0.975, SEEDS - 1) * gain_SB.std(axis=0, ddof=1) / np.sqrt(SEEDS)
        gains = zip(gain_SB.mean(axis=0), half_B, strict=True)
        print(f"gain in points, {name}:", *(f"{gain:+.1f}±{half:.1f}" for gain, half in gains))
    rng = np.random.default_rng(0)
    drawn = [times_fewer([rows[i] for i in rng.integers(SEEDS, size=SEEDS)]) for _ in range(DRAWS)]
    low_B, high_B = np.quantile(drawn, [0.025, 0.975], axis=0, method="inverted_cdf")
    factors = zip(times_fewer(rows), low_B, high_B, strict=True)
    print("times fewer macs:", *(f"{factor:.1f} ({low:.1f} to {high:.1f})" for factor, low, high in factors))
    behind = sum(int((one.search_B < one.reference_search_R[one.best_B]).sum()) for one in rows)
    print(f"members behind their reference on search-validation: {behind} of {SEEDS * len(rows[0].macs_B)}")

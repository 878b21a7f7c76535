"""What makes stage 2 fast: the student and the screen."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from search.evolution.screen import Screen
from search.evolution.student import Student, fit_tables
from search.problem.limits import Limits
from spaces.encoding import layout
from spaces.sampling import uniform
from tests.search import worlds

SPACE = worlds.space(widths=4)
WORLD = worlds.problem(SPACE)
TRUTH = worlds.Truth.random(layout(SPACE).width, 0)


def lessons(count=400, seed=0):
    codes_ND = uniform(SPACE, count, np.random.default_rng(seed))
    return codes_ND, worlds.true_values(WORLD, TRUTH, codes_ND)


def test_a_student_of_full_rank_equals_its_tables():
    codes_ND, value_N = lessons()
    fits = fit_tables(SPACE, codes_ND, np.stack([value_N, -(value_N**2)], axis=1), "all")
    student = Student(fits, rank=1000)
    fresh = uniform(SPACE, 5000, np.random.default_rng(1))  # more than one chunk
    expected = np.stack([fit.tables(fresh) for fit in fits], axis=1)
    assert student(fresh) == pytest.approx(expected, rel=1e-4, abs=1e-3)


def test_a_student_ranks_unseen_candidates_nearly_as_its_teacher():
    codes_ND, value_N = lessons()
    student = Student(fit_tables(SPACE, codes_ND, value_N[:, None], "all"))
    fresh = uniform(SPACE, 1000, np.random.default_rng(2))
    guess, truth = student(fresh)[:, 0], worlds.true_values(WORLD, TRUTH, fresh)
    assert np.corrcoef(guess, truth)[0, 1] > 0.97
    assert spearmanr(guess, truth).statistic > 0.9
    assert np.std(guess - truth) < 3 * student.held_out_error[0]


def test_repeated_rows_do_not_break_the_fit():
    codes_ND, value_N = lessons(30)
    (fit,) = fit_tables(SPACE, np.repeat(codes_ND, 4, axis=0), np.repeat(value_N, 4)[:, None], "all")
    assert np.isfinite(fit.tables(codes_ND)).all()


@pytest.mark.parametrize(("count", "value"), [(9, 1.0), (50, np.nan)])
def test_too_little_to_learn_from(count, value):
    with pytest.raises(ValueError, match="at least ten rows and finite values"):
        fit_tables(SPACE, uniform(SPACE, count, np.random.default_rng(0)), np.full((count, 1), value), "all")


@pytest.mark.parametrize("rounds", [1, 3])  # later rounds use the floor of earlier ones
def test_the_screen_lets_the_best_of_every_budget_through(rounds):
    codes_ND, value_N = lessons()
    budgets = [Limits(max_macs=60.0), Limits(max_macs=90.0, max_params=120.0), Limits()]
    screen = Screen(WORLD, budgets, codes_ND, value_N, places=40)
    for seed in range(rounds):
        children = uniform(SPACE, 3000, np.random.default_rng(seed))
        chosen = screen.best(children)
    assert len(np.unique(chosen)) == len(chosen) <= 3 * 40
    truth, costs = worlds.true_values(WORLD, TRUTH, children), WORLD.costs(children)
    for budget in budgets:
        inside = np.flatnonzero(budget.allow(costs))
        assert np.isin(chosen, inside).sum() >= 20
        best = truth[inside].max()
        assert truth[np.intersect1d(chosen, inside)].max() >= best - 0.1 * truth.std()

"""Stage 2: candidates a second, time to a family of 20 budgets, and what other searches reach. Prints its figures."""

import os
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from predictors.gp import Model
from predictors.protocol import Prediction
from search.evolution.ceiling import proven
from search.evolution.evolve import evolve
from search.evolution.generations import Score
from search.evolution.screen import Screen
from search.problem.feasible import sample_within
from search.problem.limits import Limits
from search.problem.problem import Problem
from search.replay.tables import load, problem
from spaces.encoding import encode, layout
from spaces.fbnetv3 import space
from spaces.sampling import uniform
from spaces.variation import breed
from tests.oracles.paper_evolution import paper_evolution
from trainables.counting.statistics import count, free_statistics

TABLES = Path(os.environ.get("NARS_TABLES", "../shared/tables"))
BUDGETS = 20
TRIALS = 150

pytestmark = pytest.mark.benchmark


@cache
def imagenet() -> tuple[Problem, Model, np.ndarray]:
    """FBNetV3's space with its recipes, and a Gaussian process fitted to 150 made-up trials; and their codes."""
    torch.set_num_threads(1)
    choices = space()

    def counts(codes_ND):
        return count(choices, codes_ND, classes=1000, channels=3)

    rng = np.random.default_rng(0)
    world = Problem(
        space=choices,
        costs=lambda codes_ND: counts(codes_ND).costs(),
        statistics=lambda codes_ND: free_statistics(choices, codes_ND, counts(codes_ND))[0],
        limits=Limits(),
        budgets=tuple(Limits(max_macs=float(macs)) for macs in np.geomspace(330e6, 1500e6, BUDGETS)),
        logarithms={"macs": 0, "params": 1, "activations": 2},
    )
    codes_ND = sample_within(world, TRIALS, rng, limits=world.budgets[-1])
    x_NF, s_NK = encode(choices, codes_ND), world.statistics(codes_ND)
    weight_F = rng.normal(size=x_NF.shape[1])
    score_N = np.log(world.costs(codes_ND)["macs"]) + 0.15 * x_NF @ weight_F
    score_N += 0.1 * np.sin(3 * x_NF @ rng.normal(size=x_NF.shape[1])) + 0.05 * rng.normal(size=TRIALS)
    model = Model(layout=layout(choices), rng=np.random.default_rng(1))
    model.fit(x_NF, s_NK, score_N)
    return world, model, codes_ND


def test_a_million_candidates_for_twenty_budgets():
    world, model, codes_ND = imagenet()
    rng = np.random.default_rng(0)
    score = Score(world, model, 0.0, None)
    lessons = np.concatenate([uniform(world.space, 500, rng), breed(world.space, codes_ND, 500, rng)])
    screen = Screen(world, world.budgets, lessons, score(lessons), 60)
    fresh = uniform(world.space, 20_000, np.random.default_rng(9))
    seconds = []
    for _ in range(3):
        scored, spent = 0, {"bred": 0.0, "scored and chosen": 0.0}
        while scored < 1_000_000:
            began = time.process_time()
            children = breed(world.space, codes_ND, 65_536, rng)
            bred = time.process_time()
            chosen = screen.best(children)
            spent["bred"] += bred - began
            spent["scored and chosen"] += time.process_time() - bred
            scored += len(children)
            assert len(chosen) >= BUDGETS
        seconds.append((sum(spent.values()) * 1e6 / scored, spent))
    total, spent = min(seconds, key=lambda pair: pair[0])
    truth, guess = score(fresh), screen._student(fresh)[:, 0]
    rank = np.corrcoef(np.argsort(np.argsort(truth)), np.argsort(np.argsort(guess)))[0, 1]
    began = time.process_time()
    world.costs(children)
    counted = (time.process_time() - began) * 1e6 / len(children)
    print(f"\n1,000,000 candidates x {BUDGETS} budgets: {total:.3f} s {spent}")
    print(
        f"Spearman of student and predictor on 20,000 unseen: {rank:.3f}; counting 1,000,000 exactly: {counted:.2f} s"
    )
    assert rank > 0.9


def test_a_family_against_the_papers_scheme_and_random_search():
    world, model, codes_ND = imagenet()
    score = Score(world, model, 0.0, None)
    began = time.process_time()
    picks = evolve(world, model, budgets=world.budgets, start_ND=codes_ND, rng=np.random.default_rng(0))
    ours_seconds = time.process_time() - began
    ours = np.array([pick.mean for pick in picks])
    spread = float(score(uniform(world.space, 2000, np.random.default_rng(1))).std())

    began, paper, asked = time.process_time(), [], 0
    for number, budget in enumerate(world.budgets):
        best, scored = paper_evolution(world, score, budget, codes_ND, np.random.default_rng(number))
        paper.append(best)
        asked += scored
    paper_seconds = time.process_time() - began

    rng, began, random_best = np.random.default_rng(2), time.process_time(), np.full(BUDGETS, -np.inf)
    while time.process_time() - began < ours_seconds:
        rows = uniform(world.space, 4096, rng)
        costs, value_N = world.costs(rows), score(rows)
        for k, budget in enumerate(world.budgets):
            random_best[k] = max(random_best[k], value_N[budget.allow(costs)].max(initial=-np.inf))
    gap = np.array([pick.estimate - pick.mean for pick in picks]) / spread
    began = time.process_time()
    proven_K = proven(world, model, world.budgets)
    proof_seconds = time.process_time() - began
    print(f"\nfamily of {BUDGETS}: {ours_seconds:.2f} s; the paper's scheme {paper_seconds:.1f} s, {asked:,} scored")
    print(f"ours minus paper's, in standard deviations of predictions: {((ours - paper) / spread).round(3).tolist()}")
    found = np.isfinite(random_best)
    print(f"random search at equal time found something in {found.sum()} budgets; ours minus random there:")
    print(((ours - random_best)[found] / spread).round(2).tolist())
    print(f"ratio of times {paper_seconds / ours_seconds:.1f}; estimated bound above the pick: {gap.round(2).tolist()}")
    print(f"proven bound above the pick, {proof_seconds:.2f} s: {((proven_K - ours) / spread).round(2).tolist()}")
    assert (proven_K >= ours).all()
    assert (ours >= np.array(paper) - 0.02 * spread).all()
    assert (ours > random_best).all()


def test_time_to_the_score_of_the_papers_scheme():
    world, model, codes_ND = imagenet()
    ratios = []
    for seed in range(5):
        score, began = Score(world, model, 0.0, None), time.process_time()
        rngs = np.random.default_rng(seed).spawn(BUDGETS)
        paper = [
            paper_evolution(world, score, budget, codes_ND, rng)[0]
            for budget, rng in zip(world.budgets, rngs, strict=True)
        ]
        paper_seconds = time.process_time() - began
        for generations in (1, 2, 3, 5, 8, 12, 20, 40, 60):
            began = time.process_time()
            picks = evolve(
                world,
                model,
                budgets=world.budgets,
                start_ND=codes_ND,
                rng=np.random.default_rng(seed),
                generations=generations,
            )
            seconds = time.process_time() - began
            if np.mean([pick.mean for pick in picks]) >= np.mean(paper):
                break
        else:
            pytest.fail(f"seed {seed}: the paper's scheme ended higher than ours ever did")
        ratios.append(paper_seconds / seconds)
        print(f"\nseed {seed}: paper {paper_seconds:.2f} s; ours {seconds:.2f} s with {generations} generations")
    print(f"ratio at equal mean score: median {np.median(ratios):.1f} [{min(ratios):.1f}, {max(ratios):.1f}], 5 seeds")


class TrueScore:
    """A predictor that knows: the one statistic it is given is the truth."""

    asked = 0

    def pretrain(self, x_NF, s_NK): ...

    def fit(self, x_NF, s_NK, y_N): ...

    def predict(self, x_NF, s_NK):
        self.asked += len(s_NK)
        return Prediction(mean_N=s_NK[:, 0].copy(), std_N=np.zeros(len(s_NK)))


@pytest.mark.skipif(not TABLES.is_dir(), reason="needs the recorded tables; NARS_TABLES names their folder")
@pytest.mark.parametrize("name", ["nas_bench_macro", "nb201_cifar100", "hpolib_protein"])
def test_the_true_optimum_of_every_budget_of_a_complete_table(name):
    table = load(TABLES / f"{name}.json")
    world = problem(table, quantiles=np.linspace(0.01, 1.0, BUDGETS))
    world = replace(world, statistics=lambda codes_ND: table.truth_N[table.row_of(codes_ND)][:, None])
    best = [table.truth_N[budget.allow(table.costs)].max() for budget in world.budgets]
    arguments = {"budgets": world.budgets, "start_ND": table.codes_ND[:0]}
    picks = evolve(world, TrueScore(), rng=np.random.default_rng(0), **arguments)
    assert [pick.mean for pick in picks] == best
    assert all(pick.certain and pick.upper == pick.mean for pick in picks)

    found, held, asked = [], [], []
    for seed in range(5):  # without looking at everybody
        teacher = TrueScore()
        picks = evolve(world, teacher, rng=np.random.default_rng(seed), enumerate_up_to=0, **arguments)
        found.append(sum(pick.mean == value for pick, value in zip(picks, best, strict=True)))
        held.append(sum(pick.upper >= value for pick, value in zip(picks, best, strict=True)))
        asked.append(teacher.asked)
        lost = max(value - pick.mean for pick, value in zip(picks, best, strict=True)) / table.truth_N.std()
        assert lost < 0.05
    print(f"\n{name}: by evolution alone optimum of {found} of {BUDGETS} budgets, 5 seeds; bound held in {held};")
    print(f"judged {asked} of {len(table.truth_N):,}")

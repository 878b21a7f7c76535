"""Our sampler: the acquisition against an oracle, the start, recommendations, transfer, and plain Optuna scripts."""

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from scipy.integrate import quad
from scipy.stats import norm

from predictors import constant
from search.problem.limits import Limits
from search.problem.problem import Observations
from search.problem.supply import Supply
from search.samplers import _acquisition as acquisition
from search.samplers import nars
from search.samplers._start import stratified
from search.samplers._surrogates import Surrogates
from search.samplers.by_name import build
from search.samplers.nars import Sampler
from search.samplers.paper import Sampler as Paper
from spaces.components import UnknownComponent
from spaces.encoding import encode
from spaces.mistake import Mistake
from spaces.space import Condition
from tests.search.toy import NOTHING, SPACE, macs, offer, problem, score, some


@pytest.mark.parametrize("z", [-6.0, -1.5, -1.0, 0.0, 0.7, 4.0])
def test_log_improvement_equals_the_integral(z: float) -> None:
    integral, _ = quad(lambda t: (t + z) * norm.pdf(t), -z, 12.0, epsabs=0.0, epsrel=1e-10)
    assert acquisition.log_improvement(np.array([z]))[0] == pytest.approx(np.log(integral), rel=1e-6)


def test_log_improvement_is_finite_and_increasing_far_out() -> None:
    z = np.array([-1e12, -1e6, -1e5, -1e4, -1e3, -40.0, -1.0001, -1.0, 1e3])
    values = acquisition.log_improvement(z)
    assert np.isfinite(values).all()
    assert (np.diff(values) > 0).all()


def test_family_improvement_is_the_sum_over_affordable_budgets() -> None:
    mean_N, std_N = np.array([0.2, 0.5]), np.array([0.3, 0.1])
    fits_KN = np.array([[True, False], [True, True]])
    best_K, weight_K = np.array([0.1, 0.4]), np.array([1.0, 2.0])

    def improvement(k: int, n: int) -> float:
        z = (mean_N[n] - best_K[k]) / std_N[n]
        return float(weight_K[k] * std_N[n] * (norm.pdf(z) + z * norm.cdf(z)))

    expected = np.log([improvement(0, 0) + improvement(1, 0), improvement(1, 1)])
    actual = acquisition.family_improvement(mean_N, std_N, fits_KN, best_K, weight_K)
    np.testing.assert_allclose(actual, expected, rtol=1e-9)


def test_certain_candidates_improve_by_what_they_gain() -> None:
    values = acquisition.log_expected_improvement(np.array([1.0, 3.0]), np.zeros(2), 2.0)
    np.testing.assert_array_equal(values, [-np.inf, 0.0])


def test_start_takes_one_candidate_from_each_cost_stratum() -> None:
    where = problem()
    first_ND = stratified(Supply(where), 8, np.random.default_rng(0))
    drawn = macs(Supply(where).draw(2000, np.random.default_rng(1)))["macs"]
    ranks = np.searchsorted(np.sort(drawn), macs(first_ND)["macs"]) / len(drawn)
    assert len(np.unique(first_ND, axis=0)) == 8
    assert ranks.min() < 0.2
    assert ranks.max() > 0.7


def test_finds_the_best_of_every_budget() -> None:
    where, known = problem(), NOTHING
    sampler = Sampler(offer(where))
    while len(known.codes_ND) < 40:
        codes_ND = np.concatenate([known.codes_ND, sampler.propose(known, NOTHING.codes_ND, 2)])
        known = Observations(codes_ND=codes_ND, score_N=score(codes_ND))
    sizes = tuple(SPACE.sizes_D)
    grid_ND = np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), axis=1).astype(np.int16)
    everything_ND = SPACE.mask(grid_ND)
    for fits_N, seen_N in zip(where.affordable(everything_ND), where.affordable(known.codes_ND), strict=True):
        assert known.score_N[seen_N].max() == pytest.approx(score(everything_ND)[fits_N].max())


def test_the_best_of_each_band_are_climbed_from() -> None:
    gain_N = np.array([0.0, 3.0, 2.0, 1.0, -np.inf, 5.0])
    assert acquisition.best_of_bands(gain_N, np.array([0, 0, 0, 1, 1, 2]), 2).tolist() == [1, 2, 3, 5]


def test_looking_again_at_the_top_finds_what_looking_again_at_all_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    known, pending_ND = some(24), some(4, seed=8).codes_ND
    found = []
    for count in (1, 10_000):
        monkeypatch.setattr(nars, "LOOKED_AT", count)
        found.append(Sampler(offer()).propose(known, pending_ND, 6).tolist())
    assert found[0] == found[1]


def test_recommends_within_each_budget_by_the_posterior() -> None:
    where, known = problem(), some(30)
    lucky = Observations(codes_ND=known.codes_ND, score_N=known.score_N + np.random.default_rng(0).normal(0, 0.1, 30))
    picks = Sampler(offer(where)).recommend(lucky)
    for fits_N, pick in zip(where.affordable(known.codes_ND), picks, strict=True):
        assert pick is not None
        assert fits_N[pick]
        assert known.score_N[pick] > np.median(known.score_N[fits_N])


def test_observations_change_what_is_proposed() -> None:
    known = some(20)
    worse = Observations(codes_ND=known.codes_ND, score_N=-known.score_N)
    ours, theirs = (Sampler(offer()).propose(o, NOTHING.codes_ND, 3) for o in (known, worse))
    assert score(ours).mean() > score(theirs).mean()


def test_the_past_leads_to_good_first_candidates() -> None:
    warm, cold = Sampler(offer(earlier=[some(60, seed=5)])), Sampler(offer())
    warm_ND, cold_ND = (s.propose(NOTHING, NOTHING.codes_ND, 4) for s in (warm, cold))
    assert score(warm_ND).max() > score(cold_ND).max()
    later_ND = warm.propose(some(9), NOTHING.codes_ND, 3)
    assert len(np.unique(later_ND, axis=0)) == 3


def test_a_past_that_cannot_be_used() -> None:
    with pytest.raises(Mistake, match="at least two observations"):
        Sampler(offer(earlier=[NOTHING]))


def surrogates(name: str = "gp", earlier: tuple[Observations, ...] = ()) -> Surrogates:
    where = problem()
    return Surrogates(where, Supply(where), name=name, seed=0, earlier=earlier)


def test_every_third_proposal_comes_from_the_rough_surrogate_whatever_the_batches() -> None:
    assert surrogates().shares(12, 6) == {"smooth": 4, "rough": 2}
    one_by_one = [next(iter(surrogates().shares(place, 1))) for place in range(12, 18)]
    assert one_by_one == ["smooth", "smooth", "rough"] * 2
    # predictors without a length scale have no rough variant; a past keeps three quarters
    assert surrogates("boosting").shares(12, 6) == {"smooth": 6}
    assert surrogates(earlier=(some(20),)).shares(12, 12) == {"past": 9, "smooth": 2, "rough": 1}


@pytest.mark.parametrize("name", ["gp", "boosting"])
def test_surrogates_answer_on_the_learning_scale_in_any_unit_of_the_score(name: str) -> None:
    known, others_ND = some(30), some(10, seed=3).codes_ND
    where = problem()
    x_NF, s_NK = encode(where.space, others_ND), where.statistics(others_ND)
    percent = Observations(codes_ND=known.codes_ND, score_N=100 * known.score_N)
    means = [surrogates(name).fit("smooth", seen).predict(x_NF, s_NK).mean_N for seen in (known, percent)]
    np.testing.assert_allclose(means[0], means[1], atol=1e-6)


def test_wrong_options() -> None:
    for wrong in ({"initial": 0}, {"batch": 0}):
        with pytest.raises(Mistake, match="at least 1, given 0"):
            offer(**wrong)
    with pytest.raises(Mistake, match="distance is at least 1"):
        Sampler(offer(), distance=0)
    with pytest.raises(Mistake, match="pool is at least 1"):
        Paper(offer(), pool=0)
    with pytest.raises(UnknownComponent, match="there is no sampler 'best'"):
        build("best", offer())
    with pytest.raises(UnknownComponent, match="'best' is not in predictors/"):
        build("paper", offer(predictor="best"))


def test_the_paper_scores_its_pool_after_the_first_batch() -> None:
    where = problem()
    known = some(12)
    sampler = Paper(offer(where, predictor="gp", batch=6), pool=300)
    first_ND = sampler.propose(NOTHING, NOTHING.codes_ND, 6)
    later_ND = sampler.propose(known, NOTHING.codes_ND, 6)
    assert score(later_ND).mean() > score(first_ND).mean()
    assert len(np.unique(later_ND, axis=0)) == 6


def test_the_paper_fits_the_configured_predictor_at_the_end_of_each_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    fit = constant.Model.fit

    def counted(model: constant.Model, x_NF: np.ndarray, s_NK: np.ndarray, y_N: np.ndarray) -> None:
        sizes.append(len(y_N))
        fit(model, x_NF, s_NK, y_N)

    monkeypatch.setattr(constant.Model, "fit", counted)
    sampler, known = Paper(offer(predictor="constant", initial=5, batch=3), pool=300), some(13)
    for count in range(13):
        seen = Observations(codes_ND=known.codes_ND[:count], score_N=known.score_N[:count])
        sampler.propose(seen, NOTHING.codes_ND, 1)
    assert sizes == [5, 8, 11]


def test_the_papers_own_numbers_are_its_defaults() -> None:
    paper = Paper(offer(), pool=300)
    assert (paper.initial, paper.batch) == (48, 48)


# plain Optuna scripts ------------------------------------------------------------------------------------------------

DISTRIBUTIONS = {
    "width": IntDistribution(8, 128, log=True),
    "block": CategoricalDistribution(("plain", "wide")),
    "optimizer": CategoricalDistribution(("adam", "sgd")),
    "lr": FloatDistribution(1e-4, 1.0, log=True),
    "momentum": FloatDistribution(0.5, 0.95, step=0.05),
}
ROLES = {"width": "architecture", "block": "architecture", "optimizer": "recipe", "lr": "recipe", "momentum": "recipe"}


def objective(trial: optuna.Trial) -> float:
    width = trial.suggest_int("width", 8, 128, log=True)
    wide = trial.suggest_categorical("block", ("plain", "wide")) == "wide"
    lr = trial.suggest_float("lr", 1e-4, 1.0, log=True)
    momentum = 0.9
    if trial.suggest_categorical("optimizer", ("adam", "sgd")) == "sgd":
        momentum = trial.suggest_float("momentum", 0.5, 0.95, step=0.05)
    return float(np.log(width) + 0.2 * wide - (np.log10(lr) + 2) ** 2 - abs(momentum - 0.9))


def sampler_of_a_script(seed: int = 0) -> Sampler:
    return Sampler.for_optuna(
        DISTRIBUTIONS,
        roles=ROLES,
        costs=lambda values: {"params": values["width"] * np.where(values["block"] == "wide", 2.0, 1.0)},
        limits=Limits(max_params=100),
        conditions={"momentum": Condition(parent="optimizer", values=("sgd",))},
        seed=seed,
    )


def study_of(sampler: Sampler, trials: int) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=trials)
    return study


def test_three_more_lines_in_an_optuna_script() -> None:
    study = study_of(sampler_of_a_script(), 30)
    cost = [t.params["width"] * (2 if t.params["block"] == "wide" else 1) for t in study.trials]
    assert max(cost) <= 100
    assert all(("momentum" in t.params) == (t.params["optimizer"] == "sgd") for t in study.trials)
    assert study.best_value > np.log(100) - 0.4
    again = study_of(sampler_of_a_script(), 30)
    assert [t.params for t in study.trials] == [t.params for t in again.trials]


def test_optuna_studies_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="needs a role"):
        Sampler.for_optuna(DISTRIBUTIONS, roles={}, seed=0)
    with pytest.raises(ValueError, match="need costs="):
        Sampler.for_optuna(DISTRIBUTIONS, roles=ROLES, limits=Limits(max_params=1), seed=0)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler_of_a_script())
    with pytest.raises(ValueError, match="one objective"):
        objective(study.ask())
    study = optuna.create_study(sampler=sampler_of_a_script())
    with pytest.raises(ValueError, match="'depth' is not declared"):
        study.ask().suggest_int("depth", 1, 3)

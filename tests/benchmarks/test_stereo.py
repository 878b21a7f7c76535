"""What CroCo does with a real second view: held-out error of completing a tile from its pair, itself, and others.

Reads scikit-image's stereo pair; ``NARS_STEREO=FOLDER`` names the folder of its three files where it is not installed.
The strips that are judged are not those trained on. Also printed: how well frozen features tell the disparity.
"""

import os

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.benchmarks.small import difference
from trainables.assess import attributes
from trainables.backbones import vit
from trainables.data.sources import load_source
from trainables.deploy import Deployable
from trainables.objectives import croco
from trainables.plan import Batch
from trainables.splits import Images, Splits

pytestmark = pytest.mark.benchmark

STEPS, PAIRS, SEEDS, RATE = 400, 16, 3, 1e-3


def built(splits: Splits, seed: int) -> Deployable:
    torch.manual_seed(seed)
    body = vit.build(
        classes=3, channels=3, resolution=32, patch=4, width=64, depth=3, head_width=16, mlp_ratio=2.0, pooling="mean"
    )
    return Deployable(body, mean=splits.mean, std=splits.std, resolution=32)


def drawn(images: Images, rng: np.random.Generator, pairs: int) -> tuple[torch.Tensor, NDArray[np.int64]]:
    """Left and right tiles in turn, and the groups."""
    group_P = rng.choice(len(images) // 2, pairs, replace=False)
    return images.batch((2 * group_P[:, None] + np.arange(2)).ravel())[0], group_P


def reached(splits: Splits, seed: int) -> dict[str, float]:
    network = built(splits, seed)
    untrained = attributes.assess(network, splits).measures[0].value
    objective = croco.objective(network, pairs="group", masked=0.75).train()
    optimizer = torch.optim.AdamW([p for p in objective.parameters() if p.requires_grad], RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS)
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    for _ in range(STEPS):
        image_BCHW, _ = drawn(splits.train, rng, PAIRS)
        loss = objective(Batch(image_BCHW=image_BCHW, target_BK=torch.zeros(len(image_BCHW), 3)), generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    image_BCHW, _ = drawn(splits.test, np.random.default_rng(0), 256)
    first_BCHW, pair_BCHW = image_BCHW[::2], image_BCHW[1::2]
    others = {
        "pair": pair_BCHW,
        "itself": first_BCHW,
        "another place": pair_BCHW.roll(1, 0),
        "noise": torch.rand(pair_BCHW.shape, generator=torch.Generator().manual_seed(0)),
    }
    objective.eval()
    with torch.no_grad():  # with the same masks
        errors = {
            name: float(objective.error(first_BCHW, one, torch.Generator().manual_seed(1)))
            for name, one in others.items()
        }
    return {**errors, "r2": attributes.assess(network, splits).measures[0].value, "r2 untrained": untrained}


def test_the_pair_helps():
    torch.set_num_threads(1)
    keywords = {"path": os.environ["NARS_STEREO"]} if "NARS_STEREO" in os.environ else {}
    splits = load_source("stereo", keywords)
    rows = [reached(splits, seed) for seed in range(SEEDS)]
    value_S = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    for name, own_S in value_S.items():
        print(f"{name}: {own_S.round(4).tolist()}", flush=True)
    for name in ("itself", "another place", "noise"):
        print(f"{name} minus pair, in hundredths: {difference(value_S['pair'], value_S[name])}")
    assert (value_S["pair"] < value_S["noise"]).all()
    assert (value_S["pair"] < value_S["another place"]).all()

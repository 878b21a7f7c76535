"""Small candidates, networks and images that the tests of training share."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import nn

from spaces.candidate import Candidate
from spaces.dimensions import Value
from trainables.backbones import mobile, tiny_vit, vit
from trainables.data._text_vectors import ngrams
from trainables.data.sources import load_source
from trainables.deploy import Deployable
from trainables.job import Report
from trainables.joint import load
from trainables.language.tokens import tokens
from trainables.plan import Batch
from trainables.splits import Splits

MOBILE: dict[str, Value] = {
    "resolution": 8, "stem_width": 8, "stem_stride": 1, "activation": "relu", "head_expansion": 1, "head_width": 16,
    "width.0": 8, "depth.0": 1, "kernel.0": 3, "expansion.0": 2, "stride.0": 2, "squeeze_excite.0": True,
}  # fmt: skip
RESIDUAL: dict[str, Value] = {**MOBILE, "depth.0": 2}
"""With a block that has a shortcut, which a path can be dropped from."""

TINY_VIT: dict[str, Value] = {
    "resolution": 16, "mlp_ratio": 2.0, "conv_expansion": 2, "width.0": 32, "width.1": 32, "depth.0": 1, "depth.1": 1,
    "window.0": 2,
}  # fmt: skip
VIT: dict[str, Value] = {
    "resolution": 16, "patch": 4, "width": 32, "depth": 1, "head_width": 16, "mlp_ratio": 2.0, "pooling": "mean",
}  # fmt: skip
OPTIMIZER: dict[str, Value] = {"optimizer.name": "adamw", "optimizer.learning_rate.adamw": 3e-3, "batch.size": 32}


def backbone_of(objective: str) -> str:
    """A backbone that an objective supports: of maps before tokens, and of tokens before any part of them."""
    supported = load(objective).SUPPORTS
    return "mobile" if "map" in supported else "tiny_vit" if "tokens" in supported else "vit"


def network(objective: str, seed: int = 0) -> Deployable:
    """A network that the objective supports, with random weights."""
    torch.manual_seed(seed)
    backbone = backbone_of(objective)
    if backbone == "mobile":
        body = mobile.build(
            classes=10, channels=1, resolution=8, stem_width=8, width=[8], depth=[1], kernel=[3], expansion=[2],
            stride=[2], squeeze_excite=[True], activation="relu", head_expansion=1, head_width=16, stem_stride=1,
        )  # fmt: skip
        return Deployable(body, mean=[0.3], std=[0.4], resolution=8)
    return Deployable(transformer(backbone), mean=[0.3], std=[0.4], resolution=16)


def transformer(backbone: str, **changed: Any) -> nn.Module:
    """A network of tokens, untrained."""
    if backbone == "vit":
        return vit.build(classes=10, channels=1, **{**VIT, **changed})
    return tiny_vit.build(
        classes=10, channels=1, resolution=16, width=[32, 32], depth=[1, 1], window=[2], mlp_ratio=2.0, conv_expansion=2
    )


def pretrained(objective: str, **pretraining: Any) -> Candidate:
    """Half of its compute on the objective, then supervised in full."""
    backbone = backbone_of(objective)
    return Candidate(
        backbone=backbone,
        objective="supervised",
        architecture={"mobile": MOBILE, "tiny_vit": TINY_VIT, "vit": VIT}[backbone],
        recipe=OPTIMIZER,
        pretraining={"objective": objective, "share": 0.5, **OPTIMIZER, **pretraining},
        adaptation={"method": "full"},
    )


def residual(recipe: Mapping[str, Value]) -> Candidate:
    """Supervised from scratch."""
    return Candidate(backbone="mobile", objective="supervised", architecture=RESIDUAL, recipe=recipe)


def batch(count: int = 8) -> Batch:
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(10, (count,), generator=generator)
    image_BCHW = torch.rand(count, 1, 8, 8, generator=generator)
    names = [f"number {row}" for row in range(count)]
    fields = {
        "caption": torch.from_numpy(tokens(names, 16))[:, None],
        "text": torch.from_numpy(ngrams([[name] for name in names])),
    }
    return Batch(image_BCHW=image_BCHW, target_BK=torch.eye(10)[labels], fields=fields)


def part_of(whole: Batch, own: slice) -> Batch:
    """Some rows of a batch."""
    fields = {name: value_B[own] for name, value_B in whole.fields.items()}
    return replace(whole, image_BCHW=whole.image_BCHW[own], target_BK=whole.target_BK[own], fields=fields)


def loss_of(objective: nn.Module, images: Batch, seed: int = 0) -> torch.Tensor:
    value: torch.Tensor = objective(images, torch.Generator().manual_seed(seed))
    return value


@cache
def few_labels() -> Splits:
    """A tenth of the training images with labels, a quarter of them without; class names are captions and vectors."""
    whole = load_source("digits", {"class_captions": 1.0, "text_vectors": "ngrams"})
    return replace(
        whole,
        train=whole.train.take(np.arange(0, len(whole.train), 10)),
        pool=whole.train.take(np.arange(0, len(whole.train), 4)),
    )


def without_time(reports: Sequence[Report]) -> list[tuple[int, float, float]]:
    """Epoch, accuracy and loss."""
    return [(report.epoch, report.accuracy, report.loss) for report in reports]

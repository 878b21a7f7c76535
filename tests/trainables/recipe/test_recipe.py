from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from timm.layers import DropPath
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LinearLR, LRScheduler

from spaces import components
from tests.trainables.plans import batch, plan, transformed
from tests.trainables.small import OPTIMIZER, residual
from trainables.data.sources import load_source
from trainables.deploy import Deployable
from trainables.plan import Plan, compose
from trainables.recipe import batch as batch_size
from trainables.recipe import (
    curriculum,
    dropout,
    ema,
    label_smoothing,
    mixup,
    optimizer,
    schedule,
    stochastic_depth,
)
from trainables.training.building import build


def test_mixup_mixes_images_as_their_targets_say() -> None:
    own = replace(batch(), target_BK=torch.eye(8))  # so that a mixed target names both images and their shares
    shares = []
    for seed in range(5):
        mixed = mixup.apply(plan(), alpha=1.0).transforms[0](own, torch.Generator().manual_seed(seed))
        expected = (mixed.target_BK @ own.image_BCHW.flatten(1)).view_as(own.image_BCHW)
        assert torch.allclose(mixed.image_BCHW, expected, atol=1e-6)
        assert torch.allclose(mixed.target_BK.sum(1), torch.ones(8))
        assert torch.allclose(mixed.target_BK.sum(0), torch.ones(8))  # the partners are a permutation
        shares += [round(float(value), 4) for value in mixed.target_BK.diagonal() if value < 1]
    assert len(set(shares)) == 5  # one share a batch


def test_label_smoothing_is_torchs() -> None:
    scores_BK = torch.randn(8, 3, generator=torch.Generator().manual_seed(2))
    smooth = transformed(label_smoothing.apply(plan(), rate=0.1))
    ours = nn.functional.cross_entropy(scores_BK, smooth.target_BK)
    theirs = nn.functional.cross_entropy(scores_BK, batch().target_BK.argmax(1), label_smoothing=0.1)
    assert torch.allclose(ours, theirs)


@pytest.mark.parametrize("name", ["exponential", "cosine"])
def test_schedules_warm_up_and_end_at_their_final_rate(name: str) -> None:
    scheduled = optimizer.apply(plan(), name="sgd", learning_rate={"sgd": 1.0})
    scheduled = schedule.apply(scheduled, name=name, warmup_epochs=1, final=0.01)
    rates = []
    for _ in range(scheduled.epochs * scheduled.steps_per_epoch):
        rates.append(scheduled.optimized().param_groups[0]["lr"])
        scheduled.optimized().step()
        for act in scheduled.after_step:
            act()
    warmup = scheduled.steps_per_epoch
    other = torch.optim.SGD(nn.Linear(2, 3).parameters(), lr=1.0)
    theirs = LinearLR(other, start_factor=1 / (warmup + 1), total_iters=warmup)
    for rate in rates[: warmup + 1]:
        assert rate == pytest.approx(other.param_groups[0]["lr"])
        other.step()
        theirs.step()
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert scheduled.optimized().param_groups[0]["lr"] == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("cosine", lambda own, steps: CosineAnnealingLR(own, steps, eta_min=0.02)),
        ("exponential", lambda own, steps: ExponentialLR(own, 0.01 ** (1 / steps))),
    ],
)
def test_schedules_are_torchs(name: str, reference: Callable[[torch.optim.Optimizer, int], LRScheduler]) -> None:
    before = optimizer.apply(plan(), name="sgd", learning_rate={"sgd": 2.0})
    steps = before.epochs * before.steps_per_epoch
    other = torch.optim.SGD(nn.Linear(2, 3).parameters(), lr=2.0)
    theirs, ours = reference(other, steps), schedule.apply(before, name=name, final=0.01)
    for _ in range(steps):
        assert before.optimized().param_groups[0]["lr"] == pytest.approx(other.param_groups[0]["lr"], rel=1e-6)
        before.optimized().step()
        other.step()
        theirs.step()
        ours.after_step[0]()


def test_dropout_and_stochastic_depth_match_torch_and_timm() -> None:
    extra: dict[str, Any] = dict(stochastic_depth.apply(dropout.apply(plan(), rate=0.4), rate=0.3).build)
    network = build(residual(OPTIMIZER), load_source("digits", {}), extra).network.eval()
    rates = [module.drop_prob for module in network.modules() if isinstance(module, DropPath)]
    blocks = sum(len(stage) for stage in network.blocks[:-1])  # type: ignore[arg-type, index]
    assert all(any(rate == pytest.approx(0.3 * at / (blocks + 1)) for at in range(blocks + 1)) for rate in rates)
    assert rates == sorted(rates)
    image = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    network.training = True  # the network alone drops features; its layers stay in evaluation mode
    torch.manual_seed(5)
    scores = network(image)
    network.training = False
    pooled = network.forward_head(network.forward_features(image), pre_logits=True)  # type: ignore[operator]
    torch.manual_seed(5)
    expected = network.get_classifier()(nn.functional.dropout(pooled, 0.4))  # type: ignore[operator]
    assert torch.allclose(scores, expected)


def test_the_average_is_its_formula() -> None:
    """Decay 1 - t^(-2/3) at step t, at most the one asked for."""
    averaged = ema.apply(plan(), decay=0.7)
    assert averaged.evaluated is not None
    weight, average = next(averaged.built().parameters()), next(averaged.evaluated.parameters())
    expected = torch.zeros_like(weight)
    for step in range(1, 9):
        with torch.no_grad():
            weight.mul_(-1.3).add_(0.1 * step)
        averaged.after_step[0]()
        decay = min(0.7, 1 - step ** (-2 / 3))
        expected = decay * expected + (1 - decay) * weight.detach()
        assert torch.allclose(average, expected, atol=1e-6)


def test_a_batch_is_no_larger_than_the_data() -> None:
    assert batch_size.apply(plan(), size=32).steps_per_epoch == 2
    assert batch_size.apply(plan(), size=100).batch_size == 64


def test_an_unknown_schedule_is_one_sentence() -> None:
    before = optimizer.apply(plan(), name="sgd", learning_rate={"sgd": 1.0})
    with pytest.raises(ValueError, match=r"recipe.schedule.name is 'steps'; it can be exponential or cosine"):
        schedule.apply(before, name="steps")


def test_the_average_follows_the_weights() -> None:
    averaged = ema.apply(plan(), decay=0.9)
    assert averaged.evaluated is not None
    for act in averaged.after_step:
        act()  # the first step copies the weights
    before = [value.clone() for value in averaged.evaluated.parameters()]
    with torch.no_grad():
        for value in averaged.built().parameters():
            value.add_(1.0)
    for act in averaged.after_step:
        act()
    for old, average, new in zip(before, averaged.evaluated.parameters(), averaged.built().parameters(), strict=True):
        assert torch.all((average > old) & (average < new))


def test_ingredients_apply_in_the_order_of_their_stages() -> None:
    recipe = {"optimizer.name": "sgd", "optimizer.learning_rate.sgd": 0.1, "batch.size": 8, "dropout.rate": 0.3}
    keywords_of_builds: list[dict[str, object]] = []

    def build(extra: object) -> nn.Module:
        keywords_of_builds.append(dict(extra))  # type: ignore[call-overload]
        return nn.Linear(2, 3)

    composed = compose(Plan(epochs=1, images=32, classes=3), recipe, build)
    assert keywords_of_builds == [{"dropout": 0.3}]
    assert composed.batch_size == 8
    assert isinstance(composed.optimized(), torch.optim.SGD)


def test_an_unknown_ingredient_lists_what_exists() -> None:
    with pytest.raises(components.UnknownComponent, match=r"'magic' is not in trainables/recipe/.*mixup"):
        compose(Plan(epochs=1, images=32, classes=3), {"magic.power": 1}, lambda _: nn.Linear(2, 3))


def test_low_frequencies_are_kept_and_high_ones_removed() -> None:
    image = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(curriculum.low_frequencies(image, 32), image, atol=1e-5)
    for side in (16, 17):
        assert torch.allclose(curriculum.low_frequencies(image, side).mean((2, 3)), image.mean((2, 3)), atol=1e-5)

    def wave(cycles: int, side: int) -> torch.Tensor:
        return torch.cos(2 * torch.pi * cycles * torch.arange(side) / side).expand(1, 1, side, side)

    assert torch.allclose(curriculum.low_frequencies(wave(3, 32), 16), wave(3, 16), atol=1e-5)
    assert torch.allclose(curriculum.low_frequencies(wave(12, 32), 16), torch.zeros(1, 1, 16, 16), atol=1e-5)


def test_a_curriculum_grows_the_side_and_evaluates_at_the_full_one() -> None:
    sides: list[int] = []

    class Seen(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            sides.append(image.shape[-1])
            return image.mean((2, 3))

    network = Deployable(Seen(), mean=[0.0], std=[1.0], resolution=14)
    growing = curriculum.apply(replace(plan(), epochs=10, network=network), start=0.714)
    sides.clear()
    for epoch in range(1, 11):
        growing.before_epoch[0](epoch)
        network.train()(growing.transforms[0](batch(), torch.Generator()).image_BCHW)
    assert sides == [10] * 6 + [12] * 2 + [14] * 2
    growing.before_epoch[0](1)
    network.eval()(batch().image_BCHW)
    assert sides[-1] == 14
    off = replace(plan(), network=network)
    assert curriculum.apply(off, start=1.0) is off
    with pytest.raises(ValueError, match=r"start is a share of the resolution in \(0, 1\], given 0"):
        curriculum.apply(off, start=0)
    with pytest.raises(ValueError, match=r"this objective needs the full resolution"):
        curriculum.apply(replace(off, fixed_side=True), start=0.5)

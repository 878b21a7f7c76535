import copy
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from timm.layers import DropPath
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LRScheduler
from torchvision.transforms import v2

from spaces import components
from tests.conformance.test_ingredients import BASE, candidate
from trainables.data.sources import load_source
from trainables.deploy import Deployable
from trainables.plan import Batch, Plan, compose
from trainables.recipe import (
    augment,
    curriculum,
    dropout,
    ema,
    label_smoothing,
    mixup,
    optimizer,
    schedule,
    stochastic_depth,
)
from trainables.recipe import batch as batch_size
from trainables.recipe._sgd_sai import SGDSaI, gain
from trainables.trial import build


def plan(**fields: object) -> Plan:
    return Plan(epochs=4, images=64, classes=3, batch_size=16, network=nn.Linear(2, 3), **fields)  # type: ignore[arg-type]


def batch(count: int = 8) -> Batch:
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(3, (count,), generator=generator)
    return Batch(image_BCHW=torch.rand(count, 1, 8, 8, generator=generator), target_BK=torch.eye(3)[labels])


def transformed(given: Plan, seed: int = 0) -> Batch:
    assert len(given.transforms) == 1
    return given.transforms[0](batch(), torch.Generator().manual_seed(seed))


def test_mixups_images_are_the_combinations_that_their_targets_say() -> None:
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


def test_augmentation_is_decided_by_its_generator() -> None:
    given = augment.apply(plan(), shift=0.2, rotate_degrees=20.0, flip=0.5, erase=0.5)
    assert torch.equal(transformed(given, 3).image_BCHW, transformed(given, 3).image_BCHW)
    assert not torch.equal(transformed(given, 3).image_BCHW, transformed(given, 4).image_BCHW)
    assert torch.equal(transformed(given).target_BK, batch().target_BK)


def test_a_certain_flip_mirrors() -> None:
    flipped = transformed(augment.apply(plan(), flip=1.0)).image_BCHW
    assert torch.allclose(flipped, batch().image_BCHW.flip(-1), atol=1e-5)


def test_a_certain_erasure_changes_a_sixteenth() -> None:
    changed = transformed(augment.apply(plan(), erase=1.0)).image_BCHW != batch().image_BCHW
    assert changed.float().mean() == pytest.approx(1 / 16)


@pytest.mark.parametrize("name", ["exponential", "cosine"])
def test_schedules_warm_up_and_end_at_their_final_rate(name: str) -> None:
    given = optimizer.apply(plan(), name="sgd", learning_rate={"sgd": 1.0})
    given = schedule.apply(given, name=name, warmup_epochs=1, final=0.01)
    rates = []
    for _ in range(given.epochs * given.steps_per_epoch):
        rates.append(given.optimized().param_groups[0]["lr"])
        given.optimized().step()
        for act in given.after_step:
            act()
    assert rates[0] < rates[3] <= 1.0
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert given.optimized().param_groups[0]["lr"] == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("cosine", lambda made, steps: CosineAnnealingLR(made, steps, eta_min=0.02)),
        ("exponential", lambda made, steps: ExponentialLR(made, 0.01 ** (1 / steps))),
    ],
)
def test_schedules_are_torchs(name: str, reference: Callable[[torch.optim.Optimizer, int], LRScheduler]) -> None:
    given = optimizer.apply(plan(), name="sgd", learning_rate={"sgd": 2.0})
    steps = given.epochs * given.steps_per_epoch
    other = torch.optim.SGD(nn.Linear(2, 3).parameters(), lr=2.0)
    theirs, ours = reference(other, steps), schedule.apply(given, name=name, final=0.01)
    for _ in range(steps):
        assert given.optimized().param_groups[0]["lr"] == pytest.approx(other.param_groups[0]["lr"], rel=1e-6)
        given.optimized().step()
        other.step()
        theirs.step()
        ours.after_step[0]()


def test_dropout_and_stochastic_depth_are_torchs_dropout_and_rates_that_grow_evenly() -> None:
    extra: dict[str, Any] = dict(stochastic_depth.apply(dropout.apply(plan(), rate=0.4), rate=0.3).build)
    network = build(candidate(BASE), load_source("digits", {}), extra).network.eval()
    rates = [module.drop_prob for module in network.modules() if isinstance(module, DropPath)]
    blocks = sum(len(stage) for stage in network.blocks[:-1])  # type: ignore[arg-type, index]
    assert all(any(rate == pytest.approx(0.3 * at / (blocks + 1)) for at in range(blocks + 1)) for rate in rates)
    assert rates == sorted(rates)
    image = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    network.training = True  # the network alone drops features; its layers stay in evaluation mode
    torch.manual_seed(5)
    found = network(image)
    network.training = False
    pooled = network.forward_head(network.forward_features(image), pre_logits=True)  # type: ignore[operator]
    torch.manual_seed(5)
    expected = network.get_classifier()(nn.functional.dropout(pooled, 0.4))  # type: ignore[operator]
    assert torch.allclose(found, expected)


def test_the_average_is_its_formula() -> None:
    """Decay 1 - t^(-2/3) at step t, at most the one asked for."""
    given = ema.apply(plan(), decay=0.7)
    assert given.evaluated is not None
    weight, average = next(given.built().parameters()), next(given.evaluated.parameters())
    expected = torch.zeros_like(weight)
    for step in range(1, 9):
        with torch.no_grad():
            weight.mul_(-1.3).add_(0.1 * step)
        given.after_step[0]()
        decay = min(0.7, 1 - step ** (-2 / 3))
        expected = decay * expected + (1 - decay) * weight.detach()
        assert torch.allclose(average, expected, atol=1e-6)


def test_a_batch_is_no_larger_than_the_data() -> None:
    assert batch_size.apply(plan(), size=32).steps_per_epoch == 2
    assert batch_size.apply(plan(), size=100).batch_size == 64


def test_an_unknown_schedule_is_one_sentence() -> None:
    given = optimizer.apply(plan(), name="sgd", learning_rate={"sgd": 1.0})
    with pytest.raises(ValueError, match=r"recipe.schedule.name is 'steps'; it can be exponential or cosine"):
        schedule.apply(given, name="steps")


def test_a_missing_learning_rate_is_named() -> None:
    with pytest.raises(ValueError, match=r"learning_rate.adamw is missing; .* given for: sgd"):
        optimizer.apply(plan(), name="adamw", learning_rate={"sgd": 0.1})


def test_the_average_follows_the_weights() -> None:
    given = ema.apply(plan(), decay=0.9)
    assert given.evaluated is not None
    for act in given.after_step:
        act()  # the first step copies the weights
    before = [value.clone() for value in given.evaluated.parameters()]
    with torch.no_grad():
        for value in given.built().parameters():
            value.add_(1.0)
    for act in given.after_step:
        act()
    for old, average, new in zip(before, given.evaluated.parameters(), given.built().parameters(), strict=True):
        assert torch.all((average > old) & (average < new))


def test_ingredients_are_applied_in_the_order_of_their_stages() -> None:
    recipe = {"optimizer.name": "sgd", "optimizer.learning_rate.sgd": 0.1, "batch.size": 8, "dropout.rate": 0.3}
    seen: list[dict[str, object]] = []

    def build(extra: object) -> nn.Module:
        seen.append(dict(extra))  # type: ignore[call-overload]
        return nn.Linear(2, 3)

    given = compose(Plan(epochs=1, images=32, classes=3), recipe, build)
    assert seen == [{"dropout": 0.3}]
    assert given.batch_size == 8
    assert isinstance(given.optimized(), torch.optim.SGD)


def test_an_unknown_ingredient_lists_what_exists() -> None:
    with pytest.raises(components.UnknownComponent, match=r"'magic' is not in trainables/recipe/.*mixup"):
        compose(Plan(epochs=1, images=32, classes=3), {"magic.power": 1}, lambda _: nn.Linear(2, 3))


def stepped(
    optimizer_: torch.optim.Optimizer, parameters: list[nn.Parameter], gradients: list[list[torch.Tensor]]
) -> None:
    for step in gradients:
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = gradient.clone()
        optimizer_.step()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_sai_is_its_formula_and_resumes_exactly(momentum: float) -> None:
    generator = torch.Generator().manual_seed(3)
    shapes = [(4, 3), (5,), (1,)]
    values = [torch.randn(shape, generator=generator) for shape in shapes]
    gradients = [[torch.randn(shape, generator=generator) for shape in shapes] for _ in range(4)]
    rate, decay = 0.1, 0.05

    ours = [nn.Parameter(value.clone()) for value in values]
    stepped(SGDSaI(ours, lr=rate, momentum=momentum, weight_decay=decay), ours, gradients)
    for index, value in enumerate(values):
        series = [step[index].double().numpy() for step in gradients]
        spread = series[0].std(ddof=1) if series[0].size > 1 else 0.0
        gain_ = np.linalg.norm(series[0]) / (spread + 1e-8) if spread else 1.0
        expected, average = value.double().numpy().copy(), series[0]
        for number, gradient in enumerate(series):
            average = gradient if number == 0 else momentum * average + (1 - momentum) * gradient
            expected = expected * (1 - rate * decay) - rate * gain_ * average
        np.testing.assert_allclose(ours[index].detach().numpy(), expected, rtol=1e-5, atol=1e-6)

    again = [nn.Parameter(value.clone()) for value in values]
    first = SGDSaI(again, lr=rate, momentum=momentum, weight_decay=decay)
    stepped(first, again, gradients[:2])
    second = SGDSaI(again, lr=9.0, momentum=momentum)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    stepped(second, again, gradients[2:])
    assert all(torch.equal(one, other) for one, other in zip(ours, again, strict=True))
    assert ("momentum" in second.state[again[0]]) == (momentum > 0)


def test_a_first_gradient_without_spread_has_the_gain_of_its_size() -> None:
    assert gain(torch.tensor([-7.0])) == 1.0
    assert gain(torch.zeros(3, 3)) == 3.0
    assert gain(torch.full((25,), 0.1)) == 5.0
    assert gain(torch.tensor([1.0, -1.0])) == pytest.approx(1.0)  # the usual case: near sqrt(n) for a mean of zero


def test_sgd_sai_does_not_decay_biases_and_takes_the_rates_of_the_plan() -> None:
    given = plan(rates={"weight": 0.5})
    made = optimizer.apply(given, name="sgd_sai", learning_rate={"sgd_sai": 0.1}, weight_decay=0.2).optimized()
    assert isinstance(made, SGDSaI)
    network = given.built()
    of = {parameter: group for group in made.param_groups for parameter in group["params"]}
    weight, bias = of[network.weight], of[network.bias]
    assert (weight["lr"], weight["weight_decay"], weight["momentum"]) == (0.05, 0.2, 0.9)
    assert (bias["lr"], bias["weight_decay"]) == (0.1, 0.0)


def test_sgd_sai_refuses_a_momentum_of_one() -> None:
    with pytest.raises(ValueError, match=r"momentum.sgd_sai is at least 0 and below 1, given 1.0"):
        optimizer.apply(plan(), name="sgd_sai", learning_rate={"sgd_sai": 0.1}, momentum={"sgd_sai": 1.0})


def test_an_eight_bit_optimizer_without_its_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ValueError, match=r"'adamw8bit' needs bitsandbytes: pip install bitsandbytes"):
        optimizer.apply(plan(), name="adamw8bit", learning_rate={"adamw8bit": 0.1})
    with pytest.raises(ValueError, match=r"momentum.sgd8bit is above 0, given 0"):
        optimizer.apply(plan(), name="sgd8bit", learning_rate={"sgd8bit": 0.1}, momentum={"sgd8bit": 0.0})


@pytest.mark.parametrize(("name", "state_bytes"), [("adamw8bit", 2), ("sgd8bit", 1)])
def test_eight_bit_states_are_a_quarter_of_the_size_and_resume_exactly(name: str, state_bytes: int) -> None:
    pytest.importorskip("bitsandbytes", reason="the extra 'eightbit' is not installed")

    def make() -> tuple[nn.Module, torch.optim.Optimizer]:
        given = replace(plan(), network=nn.Linear(100, 100))
        return given.built(), optimizer.apply(given, name=name, learning_rate={name: 0.01}).optimized()

    def step(network: nn.Module, made: torch.optim.Optimizer, seed: int) -> None:
        image = torch.randn(32, 100, generator=torch.Generator().manual_seed(seed))
        made.zero_grad()
        (network(image) - image).square().mean().backward()
        made.step()

    (network, made), (other, resumed) = make(), make()
    for seed in range(3):
        step(network, made, seed)
    weight = next(network.parameters())
    kept = sum(value.nbytes for key, value in made.state[weight].items() if key.startswith(("state", "absmax")))
    assert state_bytes <= kept / 10_000 < 1.05 * state_bytes
    other.load_state_dict(network.state_dict())
    resumed.load_state_dict(copy.deepcopy(made.state_dict()))
    step(network, made, 9)
    step(other, resumed, 9)
    assert all(torch.equal(one, two) for one, two in zip(network.parameters(), other.parameters(), strict=True))


def test_a_crop_is_a_window_of_the_image_and_leaves_other_draws_alone() -> None:
    ramp = (torch.arange(8.0) + 1).expand(64, 1, 8, 8)
    both = replace(batch(), image_BCHW=torch.stack([ramp, ramp.mT], dim=1)[:, :, 0])
    given = augment.apply(plan(), crop=0.5)
    cut = given.transforms[0](both, torch.Generator().manual_seed(0)).image_BCHW
    across, down = cut[:, 0].diff(dim=2), cut[:, 1].diff(dim=1)
    # One slope an image and direction: bilinear, nothing of the border; sides are shares of the image's.
    assert torch.allclose(across, across[:, :1, :1].expand_as(across), atol=1e-4)
    assert torch.allclose(down, down[:, :1, :1].expand_as(down), atol=1e-4)
    area = across[:, 0, 0] * down[:, 0, 0]
    assert area.min() >= 0.5 * 3 / 4 - 1e-4
    assert area.max() <= 1 + 1e-4
    assert 0.65 < area.mean() < 0.85
    assert cut.min() >= 1 - 1e-4
    assert cut.max() <= 8 + 1e-4
    mirrored = augment.apply(plan(), flip=0.5, crop=0.5).transforms[0](both, torch.Generator().manual_seed(0))
    draws = torch.Generator().manual_seed(0)
    fourth = [torch.rand(64, generator=draws) for _ in range(4)][3]
    assert torch.equal(mirrored.image_BCHW[:, 0, 0].diff(dim=1)[:, 3] < 0, fourth < 0.5)


def test_augmentation_grows_by_fifths() -> None:
    given = replace(plan(), epochs=5)
    grown, full = augment.apply(given, erase=1.0, first=0.0), augment.apply(given, erase=1.0)
    assert full.before_epoch == ()
    shares = []
    for epoch in range(1, 6):
        grown.before_epoch[0](epoch)
        many = replace(batch(), image_BCHW=torch.rand(400, 1, 8, 8, generator=torch.Generator().manual_seed(1)))
        image = grown.transforms[0](many, torch.Generator().manual_seed(0)).image_BCHW
        shares.append((image != many.image_BCHW).flatten(1).any(1).float().mean().item())
    assert shares == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0], abs=0.06)
    with pytest.raises(ValueError, match=r"given 1.0 and 1.0"):
        augment.apply(given, crop=1.0)


def test_low_frequencies_are_kept_and_high_ones_removed() -> None:
    image = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(curriculum.low_frequencies(image, 32), image, atol=1e-5)
    for side in (16, 17):
        assert torch.allclose(curriculum.low_frequencies(image, side).mean((2, 3)), image.mean((2, 3)), atol=1e-5)

    def wave(cycles: int, side: int) -> torch.Tensor:
        return torch.cos(2 * torch.pi * cycles * torch.arange(side) / side).expand(1, 1, side, side)

    assert torch.allclose(curriculum.low_frequencies(wave(3, 32), 16), wave(3, 16), atol=1e-5)
    assert torch.allclose(curriculum.low_frequencies(wave(12, 32), 16), torch.zeros(1, 1, 16, 16), atol=1e-5)


def test_a_curriculum_trains_on_growing_sides_and_evaluates_at_the_full_one() -> None:
    sides: list[int] = []

    class Seen(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            sides.append(image.shape[-1])
            return image.mean((2, 3))

    network = Deployable(Seen(), mean=[0.0], std=[1.0], resolution=14)
    given = curriculum.apply(replace(plan(), epochs=10, network=network), start=0.714)
    sides.clear()
    for epoch in range(1, 11):
        given.before_epoch[0](epoch)
        network.train()(given.transforms[0](batch(), torch.Generator()).image_BCHW)
    assert sides == [10] * 6 + [12] * 2 + [14] * 2
    given.before_epoch[0](1)
    network.eval()(batch().image_BCHW)
    assert sides[-1] == 14
    off = replace(plan(), network=network)
    assert curriculum.apply(off, start=1.0) is off
    with pytest.raises(ValueError, match=r"start is a share of the resolution in \(0, 1\], given 0"):
        curriculum.apply(off, start=0)
    fixed = nn.Module()
    fixed.fixed_side = True  # type: ignore[assignment]
    with pytest.raises(ValueError, match=r"this objective needs the full resolution"):
        curriculum.apply(replace(off, objective=fixed), start=0.5)


@pytest.mark.parametrize("name", ["lion", "adan", "lookahead_radam", "lamb"])
def test_timms_optimizers_by_name_go_on_where_they_were(name: str) -> None:
    def steps(given: torch.optim.Optimizer, network: nn.Module, count: int) -> None:
        for _ in range(count):
            given.zero_grad()
            (network(torch.ones(4, 2)) ** 2).sum().backward()
            given.step()

    def made() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        given = optimizer.apply(plan(), name=name, learning_rate={name: 0.01}, weight_decay=0.1)
        return given.built(), given.optimized()

    network, whole = made()
    steps(whole, network, 8)
    first, before = made()
    steps(before, first, 3)
    second, after = made()
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    after.load_state_dict(copy.deepcopy(before.state_dict()))
    steps(after, second, 5)
    for one, other in zip(network.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", ["adamw", "sgd_sai"])
@pytest.mark.parametrize("decay_all", [False, True])
def test_biases_and_norms_decay_only_where_this_is_asked_for(name: str, decay_all: bool) -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    given = replace(plan(), network=network)
    found = optimizer.apply(given, name=name, learning_rate={name: 0.1}, weight_decay=0.1, decay_all=decay_all)
    decay_of = {each: group["weight_decay"] for group in found.optimized().param_groups for each in group["params"]}
    for parameter in network.parameters():
        assert decay_of[parameter] == (0.1 if decay_all or parameter.ndim > 1 else 0.0)


def test_rand_augment_is_torchvisions_image_by_image() -> None:
    given = augment.apply(plan(), operations=2, magnitude=12)
    found = transformed(given, seed=5).image_BCHW
    assert torch.equal(found, transformed(given, seed=5).image_BCHW)
    assert not torch.equal(found, transformed(given, seed=6).image_BCHW)
    theirs = v2.RandAugment(num_ops=2, magnitude=12)
    seed = int(torch.randint(2**31, (), generator=torch.Generator().manual_seed(5)))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        pixels = (batch().image_BCHW * 255).round().to(torch.uint8)
        expected = torch.stack([theirs(image) for image in pixels]).float() / 255
    assert torch.equal(found, expected)


def test_rand_augment_grows_with_the_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    magnitudes = []

    def noted(image: torch.Tensor, operations: int, magnitude: int, generator: torch.Generator) -> torch.Tensor:
        magnitudes.append(magnitude)
        return image

    monkeypatch.setattr(augment, "rand_augmented", noted)
    given = augment.apply(replace(plan(), epochs=5), operations=2, magnitude=9, first=1 / 9)
    for epoch in range(1, 6):
        given.before_epoch[0](epoch)
        transformed(given)
    assert magnitudes == [1, 3, 5, 7, 9]  # EfficientTrain's


@pytest.mark.parametrize("wrong", [{"operations": -1}, {"operations": 2, "magnitude": 31}])
def test_rand_augment_out_of_range_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"recipe.augment.magnitude 0 to 30, given"):
        augment.apply(plan(), **wrong)  # type: ignore[arg-type]

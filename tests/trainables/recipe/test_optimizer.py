"""Optimizers of the recipe: formulas, states, decay."""

import copy
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from sgd_sai import SGD_sai
from torch import nn

from tests.trainables.plans import plan
from trainables.recipe import (
    optimizer,
)
from trainables.recipe._sgd_sai import SGDSaI, gain


def test_a_missing_learning_rate_is_named() -> None:
    with pytest.raises(ValueError, match=r"learning_rate.adamw is missing; .* given for: sgd"):
        optimizer.apply(plan(), name="adamw", learning_rate={"sgd": 0.1})


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


def test_sgd_sai_steps_as_the_authors_package() -> None:
    generator = torch.Generator().manual_seed(4)
    shapes = [(8, 3, 3, 3), (8,), (10, 8)]
    values = [torch.randn(shape, generator=generator) for shape in shapes]
    gradients = [[torch.randn(shape, generator=generator) for shape in shapes] for _ in range(6)]
    ours, theirs = ([nn.Parameter(value.clone()) for value in values] for _ in range(2))
    stepped(SGDSaI(ours, lr=0.05, weight_decay=0.1), ours, gradients)
    stepped(SGD_sai(theirs, lr=0.05, momentum=0.9, weight_decay=0.1), theirs, gradients)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_a_first_gradient_without_spread_has_the_gain_of_its_size() -> None:
    assert gain(torch.tensor([-7.0])) == 1.0
    assert gain(torch.zeros(3, 3)) == 3.0
    assert gain(torch.full((25,), 0.1)) == 5.0
    assert gain(torch.tensor([1.0, -1.0])) == pytest.approx(1.0)  # the usual case: near sqrt(n) for a mean of zero


def test_sgd_sai_spares_biases_and_follows_the_plans_rates() -> None:
    own_plan = plan(rates={"weight": 0.5})
    sai = optimizer.apply(own_plan, name="sgd_sai", learning_rate={"sgd_sai": 0.1}, weight_decay=0.2).optimized()
    assert isinstance(sai, SGDSaI)
    network = own_plan.built()
    of = {parameter: group for group in sai.param_groups for parameter in group["params"]}
    weight, bias = of[network.weight], of[network.bias]
    assert (weight["lr"], weight["weight_decay"], weight["momentum"]) == (0.05, 0.2, 0.9)
    assert (bias["lr"], bias["weight_decay"]) == (0.1, 0.0)


def test_sgd_sai_refuses_a_momentum_of_one() -> None:
    with pytest.raises(ValueError, match=r"momentum.sgd_sai is at least 0 and below 1, given 1.0"):
        optimizer.apply(plan(), name="sgd_sai", learning_rate={"sgd_sai": 0.1}, momentum={"sgd_sai": 1.0})


def test_a_missing_eight_bit_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ValueError, match=r"'adamw8bit' needs bitsandbytes: pip install bitsandbytes"):
        optimizer.apply(plan(), name="adamw8bit", learning_rate={"adamw8bit": 0.1})
    with pytest.raises(ValueError, match=r"momentum.sgd8bit is above 0, given 0"):
        optimizer.apply(plan(), name="sgd8bit", learning_rate={"sgd8bit": 0.1}, momentum={"sgd8bit": 0.0})


@pytest.mark.parametrize(("name", "state_bytes"), [("adamw8bit", 2), ("sgd8bit", 1)])
def test_eight_bit_states_are_small_and_resume_exactly(name: str, state_bytes: int) -> None:
    def make() -> tuple[nn.Module, torch.optim.Optimizer]:
        big = replace(plan(), network=nn.Linear(100, 100))
        return big.built(), optimizer.apply(big, name=name, learning_rate={name: 0.01}).optimized()

    def step(network: nn.Module, eight_bit: torch.optim.Optimizer, seed: int) -> None:
        image = torch.randn(32, 100, generator=torch.Generator().manual_seed(seed))
        eight_bit.zero_grad()
        (network(image) - image).square().mean().backward()
        eight_bit.step()

    (network, eight_bit), (other, resumed) = make(), make()
    for seed in range(3):
        step(network, eight_bit, seed)
    weight = next(network.parameters())
    size = sum(value.nbytes for key, value in eight_bit.state[weight].items() if key.startswith(("state", "absmax")))
    assert state_bytes <= size / 10_000 < 1.05 * state_bytes
    other.load_state_dict(network.state_dict())
    resumed.load_state_dict(copy.deepcopy(eight_bit.state_dict()))
    step(network, eight_bit, 9)
    step(other, resumed, 9)
    assert all(torch.equal(one, two) for one, two in zip(network.parameters(), other.parameters(), strict=True))


def test_eight_bits_round_within_a_gap_of_each_block() -> None:
    from bitsandbytes import functional

    value = torch.randn(8192, generator=torch.Generator().manual_seed(0)) * torch.logspace(-3, 3, 8192)
    for signed in (True, False):
        own = value if signed else value.abs()
        code = functional.create_dynamic_map(signed=signed)
        eight_bit, state = functional.quantize_blockwise(own, code=code, blocksize=256)
        error = (functional.dequantize_blockwise(eight_bit, state) - own).abs().view(-1, 256).amax(1)
        largest = own.abs().view(-1, 256).amax(1)
        assert eight_bit.dtype == torch.uint8
        # Half of the widest gap where the nearest code is found, which the search on a CPU misses by one at times.
        assert (error <= code.diff().max() * largest).all()
        assert (error > 0).any()


def test_small_tensors_are_8_bit_where_they_are_asked_to_be() -> None:
    kinds = {}
    for least in (4096, 256):
        small = replace(plan(), network=nn.Linear(32, 32))
        knobs = {"name": "adamw8bit", "learning_rate": {"adamw8bit": 0.01}, "min_8bit_size": least}
        own = optimizer.apply(small, **knobs).optimized()
        small.built()(torch.ones(2, 32)).sum().backward()
        own.step()
        kinds[least] = own.state[next(small.built().parameters())]["state1"].dtype
    assert kinds == {4096: torch.float32, 256: torch.uint8}


@pytest.mark.parametrize("name", ["lion", "adan", "lookahead_radam", "lamb"])
def test_timms_optimizers_resume_exactly(name: str) -> None:
    def steps(own: torch.optim.Optimizer, network: nn.Module, count: int) -> None:
        for _ in range(count):
            own.zero_grad()
            (network(torch.ones(4, 2)) ** 2).sum().backward()
            own.step()

    def start() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        own = optimizer.apply(plan(), name=name, learning_rate={name: 0.01}, weight_decay=0.1)
        return own.built(), own.optimized()

    network, whole = start()
    steps(whole, network, 8)
    first, before = start()
    steps(before, first, 3)
    second, after = start()
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    after.load_state_dict(copy.deepcopy(before.state_dict()))
    steps(after, second, 5)
    for one, other in zip(network.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", ["adamw", "sgd_sai"])
@pytest.mark.parametrize("decay_all", [False, True])
def test_biases_and_norms_decay_only_on_request(name: str, decay_all: bool) -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    own_plan = replace(plan(), network=network)
    with_optimizer = optimizer.apply(
        own_plan, name=name, learning_rate={name: 0.1}, weight_decay=0.1, decay_all=decay_all
    )
    decay_of = {
        parameter: group["weight_decay"]
        for group in with_optimizer.optimized().param_groups
        for parameter in group["params"]
    }
    for parameter in network.parameters():
        assert decay_of[parameter] == (0.1 if decay_all or parameter.ndim > 1 else 0.0)

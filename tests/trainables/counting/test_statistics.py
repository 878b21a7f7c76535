import numpy as np
import pytest
import torch
from timm.layers import make_divisible as timm_make_divisible
from torch.utils.flop_counter import FlopCounterMode

from spaces import tiny
from spaces.candidate import keywords
from spaces.sampling import uniform
from trainables.backbones import mobile
from trainables.counting import statistics
from trainables.counting.counts import make_divisible, out_side
from trainables.counting.statistics import count, free_statistics
from trainables.counting.tracing import trace

SPACE = tiny.space()


def test_counts_are_independent_of_the_chunk_size(monkeypatch: pytest.MonkeyPatch) -> None:
    codes_ND = uniform(SPACE, 100, np.random.default_rng(0))
    whole = count(SPACE, codes_ND, classes=10, channels=1)
    monkeypatch.setattr(statistics, "CHUNK", 7)
    parts = count(SPACE, codes_ND, classes=10, channels=1)
    assert all(np.array_equal(part, whole.costs()[name]) for name, part in parts.costs().items())
    assert all(np.array_equal(part, whole.features[name]) for name, part in parts.features.items())
    assert len(count(SPACE, codes_ND[:0], classes=10, channels=1)) == 0


def test_macs_are_half_the_flops_that_torch_counts() -> None:
    codes_ND = uniform(SPACE, 5, np.random.default_rng(1))
    counts = count(SPACE, codes_ND, classes=10, channels=1)
    for row, candidate in enumerate(SPACE.decode(codes_ND)):
        network = mobile.build(classes=10, channels=1, **keywords(candidate.architecture)).eval()
        side = counts[row].resolution
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.zeros(1, 1, side, side))
        assert counter.get_total_flops() == 2 * counts[row].macs


def test_features_say_what_they_are_called() -> None:
    codes_ND = uniform(SPACE, 50, np.random.default_rng(2))
    counts = count(SPACE, codes_ND, classes=10, channels=1)
    values = SPACE.values(codes_ND, "architecture")
    depths_3N = np.stack([values[f"depth.{stage}"] for stage in range(3)])
    kernels_3N = np.stack([values[f"kernel.{stage}"] for stage in range(3)])
    assert np.array_equal(counts.features["depth"], depths_3N.sum(axis=0))
    assert np.allclose(counts.features["mean_kernel"], (depths_3N * kernels_3N).sum(axis=0) / depths_3N.sum(axis=0))
    shares_3N = np.stack([counts.features[f"macs_share.{stage}"] for stage in range(3)])
    assert (shares_3N > 0).all()
    assert (shares_3N.sum(axis=0) < 1).all()  # the rest is stem and head


def test_free_statistics_follow_the_active_optimizer() -> None:
    codes_ND = uniform(SPACE, 200, np.random.default_rng(3))
    s_NK, names = free_statistics(SPACE, codes_ND, count(SPACE, codes_ND, classes=10, channels=1))
    columns = dict(zip(names, s_NK.T, strict=True))
    for row, candidate in enumerate(SPACE.decode(codes_ND)):
        recipe = candidate.recipe
        rate = recipe[f"optimizer.learning_rate.{recipe['optimizer.name']}"]
        assert columns["log_learning_rate"][row] == pytest.approx(np.log(rate))
        assert columns["log_rate_times_decay"][row] == pytest.approx(np.log(rate * recipe["optimizer.weight_decay"]))
        assert columns["regularisation"][row] == pytest.approx(sum(recipe[name] for name in statistics.REGULARISERS))
    assert columns["log_macs"] == pytest.approx(np.log(count(SPACE, codes_ND, classes=10, channels=1).macs_N))


def test_rounding_is_timms() -> None:
    for floor in (0.9, 0.95, 0.0):
        values = np.linspace(1, 300, 997)
        expected = [timm_make_divisible(value, 8, round_limit=floor) for value in values]
        assert make_divisible(values, floor=floor).tolist() == expected


def test_output_sides_are_torchs() -> None:
    for side, kernel, stride in ((9, 3, 1), (9, 3, 2), (8, 5, 2), (7, 5, 2)):
        for padding in range(kernel // 2 + 1):
            layer = torch.nn.Conv2d(1, 1, kernel, stride, padding)
            assert layer(torch.zeros(1, 1, side, side)).shape[-1] == out_side(side, kernel, stride, padding)


def test_tracing_counts_attention_fused_or_not() -> None:
    class Attention(torch.nn.Module):
        def __init__(self, *, fused: bool) -> None:
            super().__init__()
            self.fused, self.qkv = fused, torch.nn.Linear(8, 24)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            q, k, v = self.qkv(image.flatten(2).transpose(1, 2).repeat(1, 1, 8)).chunk(3, dim=-1)
            if self.fused:
                return torch.nn.functional.scaled_dot_product_attention(q, k, v)
            weights: torch.Tensor = torch.softmax(q @ k.transpose(1, 2), dim=-1)
            return weights @ v

    for fused in (True, False):
        network = Attention(fused=fused).train()
        counted = trace(network, channels=1, resolution=4)
        assert counted.macs == 16 * 8 * 24 + 2 * 16 * 16 * 8
        assert (counted.params, counted.activations) == (8 * 24 + 24, 16 * 24)
        assert network.training

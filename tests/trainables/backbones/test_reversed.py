"""Reversed attention against loops, what tokens send, and the pruning of those that send least."""

from typing import Any

import pytest
import torch

from trainables.backbones import vit
from trainables.backbones._reversed import DependencyViT, ReversedAttention
from trainables.counting.tracing import trace
from trainables.deploy import Deployable
from trainables.maps import maps_of
from trainables.objectives._visible import encoded

SMALL: dict[str, Any] = {
    "classes": 10, "channels": 1, "resolution": 16, "patch": 4, "width": 32, "depth": 4, "head_width": 8,
    "mlp_ratio": 2.0, "pooling": "mean", "attention": "reversed",
}  # fmt: skip


def network(**change: Any) -> DependencyViT:
    torch.manual_seed(0)
    built = vit.build(**SMALL | change).eval()
    assert isinstance(built, DependencyViT)
    return built


def tokens(count: int = 5) -> torch.Tensor:
    return torch.randn(2, count, 32, generator=torch.Generator().manual_seed(1))


def attention() -> ReversedAttention:
    torch.manual_seed(0)
    return ReversedAttention(32, 4)


def by_loops(layer: ReversedAttention, x: torch.Tensor, mass: torch.Tensor) -> torch.Tensor:
    """Receiver j gets, in head h, what every sender i sends it of its value."""
    received = torch.zeros_like(x)
    for b in range(len(x)):
        query, key, value = layer.qkv(x[b]).chunk(3, dim=-1)
        chosen = layer.heads(x[b]).softmax(-1)
        for h in range(4):
            own = slice(8 * h, 8 * h + 8)
            for i in range(x.shape[1]):
                share = (query[i, own] @ key[:, own].T / 8**0.5).softmax(0)
                for j in range(x.shape[1]):
                    received[b, j, own] += share[j] * chosen[i, h] * mass[b, i] * value[i, own]
    return layer.proj(received)  # type: ignore[no-any-return]


@torch.no_grad()
def test_reversed_attention_is_the_formula() -> None:
    layer, mass = attention(), torch.rand(2, 5)
    torch.testing.assert_close(layer(tokens(), mass), by_loops(layer, tokens(), mass), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_sender_sends_its_mass_in_all() -> None:
    layer, mass = attention(), torch.rand(2, 5)
    parts = (layer._split(part) for part in layer.qkv(tokens()).chunk(3, dim=-1))
    query, key, _ = parts
    sent = layer.sent(query, key, tokens(), mass)
    torch.testing.assert_close(sent.sum((1, 3)), mass)
    torch.testing.assert_close(
        layer.sent(query, key, tokens(), torch.ones(2, 5)).sum(3), layer.heads(tokens()).softmax(-1).transpose(1, 2)
    )


@torch.no_grad()
@pytest.mark.parametrize("circulant", [True, False])
def test_it_is_standard_attention_where_all_rows_have_one_normaliser(circulant: bool) -> None:
    """Scores that are merely symmetric do not do."""
    layer = ReversedAttention(4, 1)
    place = torch.arange(4)
    score = (place[:, None] - place[None]).remainder(4).float()
    score = torch.minimum(score, 4 - score) if circulant else (place[:, None] * place[None]).float()
    query, key = 2 * score[None, None], torch.eye(4)[None, None]  # over the root of four channels
    sent = layer.sent(query, key, torch.zeros(1, 4, 4), torch.ones(1, 4))[0, 0]
    assert torch.equal(score, score.T)
    assert torch.allclose(sent.T, score.softmax(-1), atol=1e-6) is circulant


@torch.no_grad()
def test_without_pruning_it_is_the_whole_network_to_the_last_bit() -> None:
    whole, pruned = network(), network(pruned=0.05)  # of 16 tokens, less than one
    image = torch.rand(2, 1, 16, 16)
    assert torch.equal(whole(image), pruned(image))
    assert not torch.equal(whole(image), network(pruned=0.16)(image))


@torch.no_grad()
@pytest.mark.parametrize("pooling", ["mean", "token"])
def test_the_tokens_of_least_mass_are_left_out(pooling: str) -> None:
    built = network(pruned=0.25, pooling=pooling)
    prefix = int(pooling == "token")
    x = built.norm_pre(built.embedded(torch.rand(3, 1, 16, 16)))
    _, mass = built.blocks[0](x, torch.ones(x.shape[:2]))
    least = mass[:, prefix:].topk(4, largest=False).indices + prefix
    features, after = built._through(x)
    assert [int((block.abs().sum(-1) > 0).sum(1)[0]) - prefix for block in after] == [16, 12, 8, 4]
    assert after[1].abs().sum(-1).gather(1, least).max() == 0
    assert features.shape == x.shape


@torch.no_grad()
def test_the_mean_is_weighted_by_mass() -> None:
    built = network(depth=1)
    image = torch.rand(2, 1, 16, 16)
    x = built.norm_pre(built.embedded(image))
    x, mass = built.blocks[0](x, torch.ones(2, 16))
    expected = (built.norm(x) * mass[..., None]).sum(1) / mass.sum(1, keepdim=True)
    pooled = built.forward_head(built.forward_features(image), pre_logits=True)
    torch.testing.assert_close(pooled, built.fc_norm(expected))


@pytest.mark.parametrize("change", [{}, {"pruned": 0.16}, {"pruned": 0.16, "pooling": "token", "registers": 4},
                                    {"pruned": 0.5, "depth": 6, "neck": 24}])  # fmt: skip
def test_what_is_counted_is_what_is_built(change: dict[str, Any]) -> None:
    built = network(**change)
    assert vit.cost(**SMALL | change)[0] == trace(built, channels=1, resolution=16)
    maps = maps_of(Deployable(built, mean=[0.5], std=[0.5], resolution=16), torch.rand(1, 1, 16, 16))
    assert {map_.shape for map_ in maps} == {(1, 32, 4, 4)}


@torch.no_grad()
def test_it_takes_any_part_of_the_tokens() -> None:
    body = Deployable(network(pruned=0.16), mean=[0.5], std=[0.5], resolution=16)
    image, everywhere = torch.rand(2, 1, 16, 16), torch.arange(16).expand(2, 16)
    assert torch.equal(encoded(body, image, everywhere), body.features(image))
    assert encoded(body, image, everywhere[:, ::2]).shape == (2, 8, 32)


def test_pruning_needs_reversed_attention() -> None:
    with pytest.raises(ValueError, match=r"above 0 with reversed attention only, given 0.16"):
        vit.build(**SMALL | {"attention": "standard", "pruned": 0.16})
    with pytest.raises(ValueError, match=r"attention is standard or reversed, given sideways"):
        vit.build(**SMALL | {"attention": "sideways"})

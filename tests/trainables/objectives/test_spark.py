"""SparK's decoder, and networks with layer normalisation."""

from itertools import pairwise

import pytest
import torch
from timm.models.convnext import ConvNeXt

from tests.trainables.small import batch, loss_of
from trainables.deploy import Deployable
from trainables.objectives import spark
from trainables.objectives._densifying import Decoder, Densify
from trainables.objectives._masked_convolution import masked, visible_at
from trainables.objectives._views import random_mask


def convnext(conv_mlp: bool, grn: bool) -> ConvNeXt:
    torch.manual_seed(0)
    network = ConvNeXt(
        in_chans=1,
        num_classes=10,
        depths=(1, 1, 1, 1),
        dims=(8, 8, 16, 16),
        conv_mlp=conv_mlp,
        use_grn=grn,
        patch_size=2,
    )
    for parameter in network.parameters():  # biases and norms at their start could not leak
        parameter.data += 0.1 * torch.rand_like(parameter)
    return network


def hidden_units(seed: int = 0) -> torch.Tensor:
    return random_mask(4, 4, 10, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("conv_mlp", "grn"), [(False, False), (True, True), (False, True)])
def test_layer_normalisation_sees_visible_positions_alone(conv_mlp: bool, grn: bool) -> None:
    network, image = convnext(conv_mlp, grn), torch.rand(4, 1, 32, 32)
    with masked(network, torch.ones(4, 1, 4, 4, dtype=torch.bool)):
        assert torch.allclose(network.forward_features(image), network.eval().forward_features(image), atol=1e-5)
    hidden = hidden_units()
    seen = visible_at(~hidden, 32, 32)
    with masked(network, ~hidden):
        first, second = (network.forward_features(seen * x) for x in (image, torch.where(seen > 0, image, 7.0)))
    assert torch.equal(first, second)
    assert first[(visible_at(~hidden, *first.shape[-2:]) == 0).expand_as(first)].abs().sum() == 0


def test_spark_learns_with_layer_normalisation_and_refuses_tokens() -> None:
    objective = spark.objective(Deployable(convnext(False, False), mean=[0.5], std=[0.3], resolution=32))
    assert isinstance(objective.densify[0].norm, torch.nn.LayerNorm)
    loss = loss_of(objective, batch())
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None for p in objective.parameters() if p.requires_grad)
    tokens = torch.nn.Sequential(torch.nn.LayerNorm(8))
    with pytest.raises(ValueError, match=r"cannot hide positions from '0'"), masked(tokens, ~hidden_units()):
        tokens(torch.rand(4, 16, 8))


@pytest.mark.parametrize(
    ("sides", "side", "path", "widths"),
    [
        ((2, 4, 8), 16, (2, 4, 8, 16), (64, 32, 16, 8)),
        ((4, 7, 14), 28, (4, 7, 14, 28), (64, 32, 16, 8)),
        ((2, 8), 32, (2, 4, 8, 16, 32), (64, 32, 16, 8, 8)),
        ((7, 14, 28, 56), 224, (7, 14, 28, 56, 112, 224), (64, 32, 16, 8, 8, 8)),
    ],
)
def test_the_decoder_halves_its_width_where_it_doubles_its_side(
    sides: tuple[int, ...], side: int, path: tuple[int, ...], widths: tuple[int, ...]
) -> None:
    decoder = Decoder(sides, side=side, width=64, channels=3).eval()
    assert decoder._sides == path
    assert decoder.widths == widths
    dense = [torch.rand(1, widths[path.index(own)], own, own) for own in sides]
    assert decoder(dense).shape == (1, 3, side, side)
    without = decoder([dense[0], *(torch.zeros_like(map_BCHW) for map_BCHW in dense[1:])])
    assert not torch.equal(decoder(dense), without)  # every finer map enters


def test_the_decoder_has_as_many_weights_as_the_authors() -> None:
    """LightDecoder(32, width 768): five UNetBlocks (transposed 4x4 with bias, two 3x3, two BNs), then 1x1 to pixels."""
    decoder = Decoder((7, 14, 28, 56), side=224, width=768, channels=3)
    widths = [768 // 2**step for step in range(6)]
    blocks = [
        16 * wide**2 + wide + 9 * wide**2 + 2 * wide + 9 * wide * half + 2 * half for wide, half in pairwise(widths)
    ]
    assert decoder.widths == tuple(widths)
    assert sum(p.numel() for p in decoder.parameters()) == sum(blocks) + widths[-1] * 3 + 3


def test_a_map_is_densified_from_its_visible_positions() -> None:
    hidden, map_BCHW = hidden_units(), torch.rand(4, 3, 4, 4)
    densify = Densify(3, 3, 1, layer_norm=False)
    seen = map_BCHW * ~hidden
    dense = densify(seen, ~hidden)
    rows = seen.permute(0, 2, 3, 1)[~hidden[:, 0]]
    normal = (rows - rows.mean(0)) / (rows.var(0, correction=0) + 1e-5).sqrt()
    assert torch.allclose(dense.permute(0, 2, 3, 1)[~hidden[:, 0]], normal, atol=1e-5)
    assert (dense.permute(0, 2, 3, 1)[hidden[:, 0]] == densify.token).all()

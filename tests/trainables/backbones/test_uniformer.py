"""UniFormer's published counts, what its blocks see, and what it refuses."""

from typing import Any

import pytest
import torch
from torch import nn

from spaces import uniformer as space_of_uniformer
from spaces.candidate import keywords
from trainables.backbones import _uniformer, uniformer
from trainables.backbones._blocks import Attention

SMALL: dict[str, Any] = {
    "classes": 10, "channels": 1, "resolution": 8, "width": [8, 16], "depth": [1, 1], "switch": 1, "local_kernel": 3,
    "head_width": 8, "mlp_ratio": 2.0, "stem": "patch", "stem_stride": 1,
}  # fmt: skip


def image(side: int = 8) -> torch.Tensor:
    return torch.rand(2, 1, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("name", "macs", "params"),
    [
        ("UniFormer-S", 3_631_774_208, 21_545_256),
        ("UniFormer-S-plus", 4_201_033_472, 24_032_552),
        ("UniFormer-B", 8_249_019_904, 49_776_552),
    ],
)
def test_published_networks_have_their_counts(name: str, macs: int, params: int) -> None:
    (architecture,) = (r.candidate.architecture for r in space_of_uniformer.references() if r.name == name)
    counts = uniformer.cost(classes=1000, channels=3, **keywords(architecture))[0]
    assert (counts.macs, counts.params) == (macs, params)


def test_attention_is_torchs() -> None:
    torch.manual_seed(0)
    ours, theirs = Attention(16, 4), nn.MultiheadAttention(16, 4, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.qkv.weight)
        theirs.in_proj_bias.copy_(ours.qkv.bias)
        theirs.out_proj.load_state_dict(ours.proj.state_dict())
        x_BNC = torch.rand(2, 9, 16, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(ours(x_BNC), theirs(x_BNC, x_BNC, x_BNC)[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("block", ["local", "global"])
def test_local_blocks_see_their_neighbourhood_and_global_ones_the_whole_map(block: str) -> None:
    torch.manual_seed(0)
    built = _uniformer.Local(8, 3, 2.0, 0.0) if block == "local" else _uniformer.Global(8, 8, 2.0, 0.0)
    first = torch.rand(1, 8, 9, 9, generator=torch.Generator().manual_seed(1))
    second = first.clone()
    second[:, :, 0, 0] += 1
    with torch.no_grad():
        changed_HW = (built.eval()(first) != built(second)).any(dim=1)[0]
    # the 3x3 convolution of the position, then the 3x3 that mixes neighbours
    assert changed_HW[:3, :3].all()
    far = changed_HW.clone()
    far[:3, :3] = False
    assert far.any() == (block == "global")


@pytest.mark.parametrize(("stem", "stride"), [("patch", 2), ("conv", 2), ("conv", 1), ("patch", 4)])
def test_odd_maps_are_padded_to_whole_patches(stem: str, stride: int) -> None:
    network = uniformer.build(**SMALL | {"resolution": 11, "stem": stem, "stem_stride": stride})
    last, maps = network.eval().forward_intermediates(image(11))
    first = -(-11 // stride)
    assert [map_BCHW.shape[-1] for map_BCHW in maps] == [first, -(-first // 2)]
    assert torch.equal(last, network.forward_features(image(11)))
    assert torch.equal(maps[-1], last)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"head_width": 5}, r"attention are multiples of its head_width 5, given \[16\]"),
        ({"depth": [1]}, r"an item for each stage in every list, given width \[8, 16\], depth \[1\]"),
        ({"stem": "pool"}, "stem is patch or conv and its stem_stride 1, 2 or 4, given pool and 1"),
        ({"frames": 2}, "frames 2 of a uniformer does not divide the 1 channels"),
        ({"local_kernel": 4}, "local_kernel of a uniformer is odd, given 4"),
        ({"resolution": 4, "stem_stride": 4}, r"4 pixels is too small for the strides \[4, 2\].*smaller stem_stride"),
    ],
)
def test_what_cannot_be_built_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        uniformer.build(**SMALL | change)

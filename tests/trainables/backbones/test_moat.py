"""MOAT's published counts, its windows and positions, and what it refuses."""

from typing import Any

import pytest
import torch
from torch.nn import functional

from spaces import moat as space_of_moat
from spaces.candidate import keywords
from trainables.backbones import _moat, moat
from trainables.backbones._windows import from_windows, into_windows

SMALL: dict[str, Any] = {
    "classes": 10, "channels": 1, "resolution": 16, "stem_width": 8, "width": [16, 32], "depth": [1, 1],
    "window": [0, 4], "expansion": 2, "positions": "bias", "stem_stride": 1,
}  # fmt: skip

WITHOUT_AND_WITH_BIAS = {
    "tiny-MOAT-0": (3_332_232, 3_355_348),
    "tiny-MOAT-1": (5_094_000, 5_122_895),
    "tiny-MOAT-2": (9_732_288, 9_772_741),
    "tiny-MOAT-3": (19_476_600, 19_534_390),
    "MOAT-0": (27_777_544, 27_846_892),
    "MOAT-1": (41_467_864, 41_598_448),
    "MOAT-2": (73_248_296, 73_422_408),
    "MOAT-3": (189_536_280, 189_958_040),
    "MOAT-4": (482_539_368, 483_214_184),
}


@pytest.mark.parametrize("name", WITHOUT_AND_WITH_BIAS)
def test_published_networks_have_their_parameters(name: str) -> None:
    (architecture,) = (r.candidate.architecture for r in space_of_moat.references() if r.name == name)
    counted = [
        moat.cost(classes=1000, channels=3, **keywords({**architecture, "resolution": 224, "positions": positions}))
        for positions in ("none", "bias")
    ]
    assert tuple(counts[0].params for counts in counted) == WITHOUT_AND_WITH_BIAS[name]


@pytest.mark.parametrize(("name", "side", "billions"), [("MOAT-0", 224, 5.64), ("tiny-MOAT-0", 256, 1.04),
                                                        ("tiny-MOAT-3", 256, 5.90)])  # fmt: skip
def test_published_networks_have_their_macs(name: str, side: int, billions: float) -> None:
    (architecture,) = (r.candidate.architecture for r in space_of_moat.references() if r.name == name)
    counts = moat.cost(classes=1000, channels=3, **keywords({**architecture, "resolution": side}))[0]
    assert round(counts.macs / 1e9, 2) == billions


def map_of(side: int, width: int = 32) -> torch.Tensor:
    return torch.rand(2, width, side, side, generator=torch.Generator().manual_seed(1))


def test_a_window_of_the_whole_map_is_attention_over_all_positions() -> None:
    torch.manual_seed(0)
    block = _moat.Windowed(32, 5, True, 0.0)
    assert block.bias is not None
    with torch.no_grad():
        block.bias.normal_()
        x_BCHW = map_of(5)
        tokens = x_BCHW.flatten(2).transpose(1, 2)
        expected = torch.zeros(25, 25)
        for one in range(25):
            for other in range(25):
                down, right = one // 5 - other // 5, one % 5 - other % 5
                expected[one, other] = block.bias[0, down + 4, right + 4]
        mixed = tokens + block.attn(block.norm(tokens), expected[None])
        torch.testing.assert_close(block(x_BCHW).flatten(2).transpose(1, 2), mixed, atol=1e-6, rtol=0)


def test_windows_that_do_not_fill_the_map_attend_to_nothing_beyond_it() -> None:
    """The last window of a side of 5 has one position, whose attention is its own value."""
    torch.manual_seed(0)
    block = _moat.Windowed(32, 2, True, 0.0)
    with torch.no_grad():
        x_BCHW = map_of(5)
        corner = x_BCHW[:, :, 4, 4]
        value = functional.linear(block.norm(corner), block.attn.qkv.weight[64:], block.attn.qkv.bias[64:])
        expected = corner + block.attn.proj(value)
        torch.testing.assert_close(block(x_BCHW)[:, :, 4, 4], expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("h", "w"), [(2, 2), (3, 2), (5, 1), (4, 4)])
def test_windows_are_put_together_again(h: int, w: int) -> None:
    x_BHWC = map_of(5).permute(0, 2, 3, 1)
    assert torch.equal(from_windows(into_windows(x_BHWC, h, w), 5, 5, h, w), x_BHWC)


def test_positions_of_another_side_are_interpolated() -> None:
    table_HOO = torch.arange(7.0).expand(1, 7, 7).clone()  # the offset to the right, of a side of 4
    same = _moat.bias_of_offsets(table_HOO, 4)
    assert same.shape == (1, 16, 16)
    assert same[0, 0, 3] == 0  # as far left of its key as can be
    assert same[0, 3, 0] == 6
    other = _moat.bias_of_offsets(table_HOO, 3)
    torch.testing.assert_close(other[0, [0, 2, 4], [2, 0, 4]], torch.tensor([0.0, 6.0, 3.0]))


@pytest.mark.parametrize("side", [15, 16, 24])
def test_another_side_than_the_resolution_runs(side: int) -> None:
    network = moat.build(**SMALL).eval()
    last, maps = network.forward_intermediates(torch.rand(2, 1, side, side))
    assert [map_BCHW.shape[-1] for map_BCHW in maps] == [-(-side // 2), -(-side // 4)]
    assert torch.equal(maps[-1], last)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"width": [16, 24]}, r"attention are multiples of its head_width 32, given \[24\]"),
        ({"depth": [1]}, r"width \[16, 32\], depth \[1\], window \[0, 4\]"),
        ({"positions": "learned"}, "positions are bias or none and its stem_stride 1 or 2, given learned and 1"),
        ({"resolution": 6, "stem_stride": 2}, r"6 pixels is too small for the strides \[2, 2, 2\]"),
    ],
)
def test_what_cannot_be_built_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        moat.build(**SMALL | change)

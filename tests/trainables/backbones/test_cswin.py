"""CSWin's published counts, its attention beside a second writing, what a position sees, and what it refuses."""

from typing import Any

import pytest
import torch
from torch.nn import functional

from spaces import cswin as space_of_cswin
from spaces.candidate import keywords
from trainables.backbones import _cswin, cswin

SMALL: dict[str, Any] = {
    "classes": 10, "channels": 1, "resolution": 8, "width": 8, "depth": [1, 1], "stripe": [2, 0], "heads": 2,
    "mlp_ratio": 2.0, "stem_stride": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "macs", "params"),
    [
        ("CSWin-T", 4_324_203_008, 22_320_552),
        ("CSWin-S", 6_800_714_752, 34_643_304),
        ("CSWin-B", 14_955_348_480, 77_382_184),
    ],
)
def test_published_networks_have_their_counts(name: str, macs: int, params: int) -> None:
    (architecture,) = (r.candidate.architecture for r in space_of_cswin.references() if r.name == name)
    counts = cswin.cost(classes=1000, channels=3, **keywords(architecture))[0]
    assert (counts.macs, counts.params) == (macs, params)


def by_mask(layer: _cswin.Stripes, qkv_3BHWC: torch.Tensor, heads: int, stripe_HW: torch.Tensor) -> torch.Tensor:
    """Full attention in which positions of other stripes are hidden, and a convolution that skips them."""
    height, width, channels = qkv_3BHWC.shape[2:]
    query, key, value = qkv_3BHWC.flatten(2, 3).unflatten(-1, (heads, -1)).transpose(2, 3)  # (B, heads, N, D) each
    score = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    same_NN = stripe_HW.flatten()[:, None] == stripe_HW.flatten()
    mixed = score.masked_fill(~same_NN, -torch.inf).softmax(-1) @ value
    out = mixed.transpose(1, 2).flatten(2).unflatten(1, (height, width))
    bias, weight_C33 = layer.position.bias, layer.position.weight[:, 0]
    local = torch.zeros_like(out) + bias
    for y in range(height):
        for x in range(width):
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    inside = 0 <= y + dy < height and 0 <= x + dx < width
                    if inside and stripe_HW[y, x] == stripe_HW[y + dy, x + dx]:
                        local[:, y, x] += weight_C33[:, dy + 1, dx + 1] * qkv_3BHWC[2, :, y + dy, x + dx]
    assert channels == weight_C33.shape[0]
    return out + local


@pytest.mark.parametrize("of_rows", [True, False])
@pytest.mark.parametrize(("stripe", "side"), [(1, 4), (2, 4), (2, 5), (3, 4), (0, 4), (7, 4)])
def test_stripes_are_full_attention_under_a_mask(stripe: int, side: int, of_rows: bool) -> None:
    torch.manual_seed(0)
    layer = _cswin.Stripes(4, 2, stripe, of_rows=of_rows).double()
    qkv = torch.rand(3, 2, side, side, 4, dtype=torch.double, generator=torch.Generator().manual_seed(1)) * 4 - 2
    lines = torch.arange(side) // (stripe or side)
    stripe_HW = lines[:, None].expand(side, side) if of_rows else lines.expand(side, side)
    with torch.no_grad():
        torch.testing.assert_close(layer(qkv), by_mask(layer, qkv, 2, stripe_HW), atol=1e-12, rtol=0)


def test_stripes_as_wide_as_the_map_are_full_attention_of_all_heads() -> None:
    torch.manual_seed(0)
    block = _cswin.Block(8, 4, 0, 2.0, 0.0).double()
    x_BHWC = torch.rand(2, 3, 3, 8, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        qkv = block.qkv(block.norm1(x_BHWC)).unflatten(3, (3, -1)).permute(3, 0, 1, 2, 4)
        halves = qkv.chunk(2, dim=-1)
        striped = torch.cat([block.rows(halves[0]), block.columns(halves[1])], dim=-1)
        query, key, value = qkv.flatten(2, 3).unflatten(-1, (4, -1)).transpose(2, 3)
        full = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        local = [part.position(half[2].permute(0, 3, 1, 2)).flatten(2).transpose(1, 2)
                 for part, half in zip((block.rows, block.columns), halves, strict=True)]  # fmt: skip
        torch.testing.assert_close(striped.flatten(1, 2), full + torch.cat(local, dim=-1), atol=1e-12, rtol=0)


def test_a_position_sees_its_rows_and_its_columns() -> None:
    torch.manual_seed(0)
    block = _cswin.Block(8, 4, 2, 2.0, 0.0)
    x_BCHW = torch.rand(1, 8, 7, 7, generator=torch.Generator().manual_seed(1)).requires_grad_()
    block(x_BCHW)[0, :, 2, 5].sum().backward()
    assert x_BCHW.grad is not None
    seen_HW = (x_BCHW.grad[0] != 0).any(dim=0)
    expected_HW = torch.zeros(7, 7, dtype=torch.bool)
    expected_HW[2:4] = True
    expected_HW[:, 4:6] = True
    assert torch.equal(seen_HW, expected_HW)


def test_the_cost_of_attention_grows_with_the_stripe() -> None:
    macs = {stripe: cswin.cost(**SMALL | {"stripe": [stripe, 0]})[0].macs for stripe in (1, 2, 4)}
    for wide, narrow in ((2, 1), (4, 2)):
        assert macs[wide] - macs[narrow] == 2 * 64 * 8 * (wide - narrow) * 8  # 2 n a c of the first stage


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"heads": 3}, "an even number of heads.*given 3 for 8"),
        ({"width": 10, "heads": 4}, "divides its width; given 4 for 10"),
        ({"stripe": [2]}, r"an item for each stage in every list, given depth \[1, 1\], stripe \[2\]"),
        ({"stem_stride": 3}, "stem_stride is 1, 2 or 4, given 3"),
        ({"resolution": 4, "stem_stride": 4}, r"4 pixels is too small for the strides \[4, 2\]"),
    ],
)
def test_what_cannot_be_built_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        cswin.build(**SMALL | change)

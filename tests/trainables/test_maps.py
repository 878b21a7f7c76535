"""Features of any layout as maps."""

import pytest
import torch

from trainables.maps import as_map, side_of, width_of


@pytest.mark.parametrize("layout", ["map", "channels last", "tokens", "tokens with a prefix"])
def test_every_layout_is_the_same_map(layout: str) -> None:
    map_BFHW = torch.rand(2, 5, 4, 4)
    token_BTF = map_BFHW.flatten(2).transpose(1, 2)
    features, prefix = {
        "map": (map_BFHW, 0),
        "channels last": (map_BFHW.permute(0, 2, 3, 1), 0),
        "tokens": (token_BTF, 0),
        "tokens with a prefix": (torch.cat([torch.rand(2, 2, 5), token_BTF], dim=1), 2),
    }[layout]
    assert torch.equal(as_map(features, prefix), map_BFHW)
    assert (side_of(features, prefix), width_of(features)) == (4, 5)

"""RegNets beside timm's, the rule of their widths, and what they refuse."""

from typing import Any

import numpy as np
import pytest
import timm
import torch
from timm.models.regnet import generate_regnet, model_cfgs

from spaces import regnet as space_of_regnet
from spaces.candidate import keywords
from trainables.backbones import regnet
from trainables.counting.tracing import trace

SMALL: dict[str, Any] = {
    "classes": 10, "channels": 1, "resolution": 12, "depth": 4, "w0": 8, "slope": 8.0, "multiplier": 2.0,
    "group_width": 4, "squeeze_excite": 0.25, "stem_width": 8, "stem_stride": 1,
}  # fmt: skip
TIMMS = {
    f"{name[6].upper()}-{macs}": name
    for name, macs in (
        *((f"regnet{kind}_{digits}", f"{int(digits)}00MF") for kind in "xy" for digits in ("002", "004", "006", "008")),
        *((f"regnet{kind}_{digits}", f"{int(digits) / 10}GF") for kind in "xy" for digits in ("016", "032", "040")),
    )
}


PUBLISHED = [
    pytest.param(reference, id=reference.name, marks=() if number in (0, 11) else pytest.mark.slow)
    for number, reference in enumerate(space_of_regnet.references())
]


@pytest.mark.parametrize("reference", PUBLISHED)
def test_published_networks_are_timms(reference: Any) -> None:
    architecture = keywords(reference.candidate.architecture)
    with torch.device("meta"):
        theirs = timm.create_model(TIMMS[reference.name.removeprefix("RegNet")])
        ours = regnet.build(classes=1000, channels=3, **architecture)
    shapes = [sorted(tuple(weight.shape) for weight in network.parameters()) for network in (ours, theirs)]
    assert shapes[0] == shapes[1]
    counts = regnet.cost(classes=1000, channels=3, **architecture)[0]
    assert counts.params == sum(weight.numel() for weight in theirs.parameters())


@pytest.mark.parametrize(
    ("size", "macs", "params"),
    [("X-200MF", 199_039_872, 2_684_792), ("Y-200MF", 199_514_080, 3_162_996), ("Y-4.0GF", 3_973_288_448, 20_646_656)],
)
def test_published_counts(size: str, macs: int, params: int) -> None:
    """Some 200 million and 4 billion macs, and 2.7, 3.2 and 20.6 million parameters."""
    numbers = dict(zip(space_of_regnet.NUMBERS, space_of_regnet.PUBLISHED[size], strict=True))
    counts = regnet.cost(classes=1000, channels=3, resolution=224, **numbers)[0]
    assert (counts.macs, counts.params) == (macs, params)


def test_a_network_is_timms_with_the_same_weights() -> None:
    torch.manual_seed(0)
    cfg = model_cfgs["regnety_002"]
    theirs = timm.create_model("regnety_002").eval()
    ours = regnet.build(
        classes=1000, channels=3, resolution=64, depth=cfg.depth, w0=cfg.w0, slope=cfg.wa, multiplier=cfg.wm,
        group_width=cfg.group_size, squeeze_excite=cfg.se_ratio,
    ).eval()  # fmt: skip
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(image), theirs(image))


def test_the_rule_is_that_of_the_published_networks() -> None:
    for name, cfg in model_cfgs.items():
        if cfg.bottle_ratio == 1:
            rule, _ = regnet.widths(np.arange(cfg.depth), cfg.w0, cfg.wa, cfg.wm, cfg.group_size)
            assert rule.tolist() == generate_regnet(cfg.wa, cfg.w0, cfg.wm, cfg.depth, cfg.group_size)[0], name


@pytest.mark.parametrize("change", [{}, {"depth": 1}, {"slope": 30.0, "depth": 9}, {"group_width": 16, "neck": 24},
                                    {"squeeze_excite": 0.0, "stem_stride": 2}, {"multiplier": 3.0}])  # fmt: skip
def test_what_is_counted_is_what_is_built(change: dict[str, Any]) -> None:
    choice = SMALL | change
    assert regnet.cost(**choice)[0] == trace(regnet.build(**choice).eval(), channels=1, resolution=12)


@pytest.mark.parametrize("change", [{"w0": 12}, {"multiplier": 1.0}, {"slope": -1.0}, {"depth": 0}])
def test_a_rule_that_gives_no_widths_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a regnet's depth is at least 1, w0 a multiple of 8"):
        regnet.build(**SMALL | change)

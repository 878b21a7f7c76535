"""The plain transformer beside timm's published ones, its prefix tokens, and what it refuses."""

from typing import Any

import pytest
import timm
import torch

from spaces import vit as space_of_vit
from spaces.candidate import keywords
from trainables.backbones import vit
from trainables.counting.tracing import trace

SMALL: dict[str, Any] = {
    "classes": 10, "channels": 1, "resolution": 8, "patch": 2, "width": 16, "depth": 2, "head_width": 8,
    "mlp_ratio": 2.0, "pooling": "mean",
}  # fmt: skip


@pytest.mark.parametrize(("name", "timms"), [("DeiT-Ti", "deit_tiny"), ("DeiT-S", "deit_small"),
                                             ("DeiT-B", "deit_base")])  # fmt: skip
def test_published_networks_are_timms(name: str, timms: str) -> None:
    (architecture,) = (r.candidate.architecture for r in space_of_vit.references() if r.name == name)
    with torch.device("meta"):
        ours = vit.build(classes=1000, channels=3, **keywords(architecture))
        theirs = timm.create_model(f"{timms}_patch16_224")
    shapes = [{key: weight.shape for key, weight in network.state_dict().items()} for network in (ours, theirs)]
    assert shapes[0] == shapes[1]
    counts = vit.cost(classes=1000, channels=3, **keywords(architecture))[0]
    assert counts.params == sum(weight.numel() for weight in theirs.parameters())


@pytest.mark.parametrize("pooling", ["mean", "token"])
@pytest.mark.parametrize("registers", [0, 4])
@pytest.mark.parametrize(("patch", "neck"), [(2, 0), (3, 24)])
def test_prefix_tokens_and_padded_patches_are_counted(pooling: str, registers: int, patch: int, neck: int) -> None:
    choice = SMALL | {"pooling": pooling, "registers": registers, "patch": patch, "neck": neck}
    network = vit.build(**choice).eval()
    assert vit.cost(**choice)[0] == trace(network, channels=1, resolution=8)
    image = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    features = network.forward_features(image)
    prefix = registers + (pooling == "token")
    assert network.num_prefix_tokens == prefix
    assert features.shape == (2, (-(-8 // patch)) ** 2 + prefix, 16)
    pooled = network.forward_head(features, pre_logits=True)
    assert pooled.shape == (2, neck or 16)
    read = features[:, 0] if pooling == "token" else features[:, prefix:].mean(dim=1)
    if not neck and pooling == "token":
        torch.testing.assert_close(pooled, read)
    if not neck and pooling == "mean":
        torch.testing.assert_close(pooled, network.fc_norm(read))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"width": 20}, r"attention are multiples of its head_width 8, given \[20\]"),
        ({"pooling": "max"}, "pooling is mean or token, given max"),
        ({"patch": 16}, r"8 pixels is too small for the strides \[16\]"),
    ],
)
def test_what_cannot_be_built_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        vit.build(**SMALL | change)

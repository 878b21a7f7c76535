"""Backbones beside timm's own networks, and what they refuse."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch

from spaces import fbnetv3, resnet_rs, resnet_rs_augmented, tiny, tiny_vit
from spaces.candidate import keywords
from spaces.sampling import uniform
from trainables.backbones import mobile, resnet, timm_model
from trainables.backbones import tiny_vit as tiny_vit_backbone
from trainables.counting.tracing import trace


def _assert_same_network(ours: torch.nn.Module, reference: torch.nn.Module, resolution: int) -> None:
    weights = list(reference.state_dict().values())
    assert [tuple(value.shape) for value in ours.state_dict().values()] == [tuple(value.shape) for value in weights]
    ours.load_state_dict(dict(zip(ours.state_dict(), weights, strict=True)))
    image = torch.rand(1, 3, resolution, resolution, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(ours.eval()(image), reference.eval()(image))


def test_the_default_padding_of_b_is_timms_network() -> None:
    architecture = {
        **fbnetv3.released()["B"].architecture,
        "reduced_padding.3": False,
        "reduced_padding.5": False,
        "resolution": 224,
    }
    ours = mobile.build(classes=1000, channels=3, **keywords(architecture))
    reference = timm.create_model("fbnetv3_b")
    assert (
        trace(reference, channels=3, resolution=224)
        == mobile.cost(classes=1000, channels=3, **keywords(architecture))[0]
    )
    _assert_same_network(ours, reference, 224)


@pytest.mark.parametrize("letter", "DG")
def test_released_sizes_count_as_timms(letter: str) -> None:
    architecture = dict(fbnetv3.released()[letter].architecture) | {"resolution": 256}
    reference = timm.create_model(f"fbnetv3_{letter.lower()}")
    assert (
        trace(reference, channels=3, resolution=256)
        == mobile.cost(classes=1000, channels=3, **keywords(architecture))[0]
    )


def test_reduced_padding_shrinks_the_map_as_released() -> None:
    network = mobile.build(classes=10, channels=3, **keywords(fbnetv3.released()["A"].architecture)).eval()
    sides, image = [], torch.zeros(1, 3, 224, 224)
    with torch.no_grad():
        features = network.bn1(network.conv_stem(image))
        for stage in network.blocks:
            features = stage(features)
            sides.append(features.shape[-1])
    assert sides[:7] == [112, 56, 28, 13, 13, 6, 6]


def test_resnetrs50_is_timms_network_and_a_member_of_its_space() -> None:
    architecture: dict[str, Any] = {"resolution": 160, "stem_width": 32, "stem_pool": "conv", "squeeze_excite": 0.25}
    architecture |= {f"width.{stage}": 64 * 2**stage for stage in range(4)}
    architecture |= {f"depth.{stage}": depth for stage, depth in enumerate((3, 4, 6, 3))}
    space = resnet_rs.space()
    assert all(value in space.architecture[address].values for address, value in architecture.items())
    ours = resnet.build(classes=1000, channels=3, **keywords(architecture))
    _assert_same_network(ours, timm.create_model("resnetrs50"), 160)
    counts = resnet.cost(classes=1000, channels=3, **keywords(architecture))
    assert counts[0] == trace(ours, channels=3, resolution=160)


@pytest.mark.nightly
@pytest.mark.parametrize("layers", [101, 152, 200, 270, 350, 420])
def test_published_resnet_rs_have_timms_shapes(layers: int) -> None:
    architecture = resnet_rs.network(resnet_rs_augmented.DEPTHS[layers], 160)
    space = resnet_rs_augmented.space()
    assert all(value in space.architecture[address].values for address, value in architecture.items())
    with torch.device("meta"):
        ours = resnet.build(classes=1000, channels=3, **keywords(architecture))
        theirs = timm.create_model(f"resnetrs{layers}")
    shapes = [{name: weight.shape for name, weight in one.state_dict().items()} for one in (ours, theirs)]
    assert shapes[0] == shapes[1]
    counts = resnet.cost(classes=1000, channels=3, **keywords(architecture))
    assert counts[0].params == sum(weight.numel() for weight in ours.parameters())


@pytest.mark.parametrize(
    ("name", "width", "window"),
    [("tiny_vit_5m_224", (64, 128, 160, 320), (7, 14, 7)), ("tiny_vit_21m_224", (96, 192, 384, 576), (7, 14, 7))],
)
def test_published_tiny_vits_are_timms_networks(name: str, width: tuple[int, ...], window: tuple[int, ...]) -> None:
    architecture: dict[str, Any] = {"resolution": 224, "mlp_ratio": 4.0, "conv_expansion": 4}
    architecture |= {f"width.{stage}": value for stage, value in enumerate(width)}
    architecture |= {f"depth.{stage}": value for stage, value in enumerate((2, 2, 6, 2))}
    architecture |= {f"window.{stage}": value for stage, value in enumerate(window)}
    space = tiny_vit.space()
    assert all(value in space.architecture[address].values for address, value in architecture.items())
    ours = tiny_vit_backbone.build(classes=1000, channels=3, **keywords(architecture))
    _assert_same_network(ours, timm.create_model(name, num_classes=1000), 224)
    counts = tiny_vit_backbone.cost(classes=1000, channels=3, **keywords(architecture))
    assert counts[0] == trace(ours, channels=3, resolution=224)


def test_networks_behave_as_timm_models() -> None:
    candidate = tiny.space().decode(uniform(tiny.space(), 1, np.random.default_rng(0)))[0]
    network = mobile.build(
        classes=10, channels=1, dropout=0.2, stochastic_depth=0.3, **keywords(candidate.architecture)
    )
    side = candidate.architecture["resolution"]
    assert network.default_cfg["input_size"] == (1, side, side)
    features = network.forward_features(torch.zeros(2, 1, side, side))
    assert features.shape[1] == network.num_features
    assert network.forward_head(features, pre_logits=True).shape == (2, candidate.architecture["head_width"])
    network.reset_classifier(3)
    assert network(torch.zeros(2, 1, side, side)).shape == (2, 3)
    rates = [module.drop_prob for module in network.modules() if type(module).__name__ == "DropPath"]
    assert network.drop_rate == 0.2
    assert all(0 < rate < 0.3 for rate in rates)


@pytest.mark.parametrize("family", ["mobile", "tiny_vit"])
def test_a_neck_is_counted_and_survives_a_new_classifier(family: str) -> None:
    space = tiny.space() if family == "mobile" else tiny_vit.space()
    module = mobile if family == "mobile" else tiny_vit_backbone
    candidate = space.decode(uniform(space, 1, np.random.default_rng(0)))[0]
    architecture = keywords({**candidate.architecture, "resolution": 32, "neck": 24})
    network = module.build(classes=10, channels=1, dropout=0.5, **architecture).eval()
    counts = module.cost(classes=10, channels=1, **architecture)
    assert counts[0] == trace(network, channels=1, resolution=32)
    network.reset_classifier(3)
    image = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    features = network.forward_head(network.forward_features(image), pre_logits=True)
    assert features.shape == (2, 24)
    assert features.min() == 0  # of the ReLU
    assert torch.equal(network(image), network.get_classifier()(features))
    assert not torch.equal(network.train()(image), network(image))  # dropout


def test_what_cannot_be_built_is_refused() -> None:
    architecture = keywords(fbnetv3.released()["A"].architecture)
    with pytest.raises(ValueError, match="one value per stage"):
        mobile.build(classes=10, channels=3, **{**architecture, "width": [16, 24]})
    with pytest.raises(ValueError, match="2 pixels is too small"):
        mobile.build(classes=10, channels=3, **{**architecture, "resolution": 2})
    with pytest.raises(ValueError, match="'conv' or 'max', given 'avg'"):
        resnet.build(classes=1, channels=3, resolution=32, width=[8], depth=[1], stem_width=8, stem_pool="avg",
                     squeeze_excite=0)  # fmt: skip
    with pytest.raises(ValueError, match="multiples of 32"):
        tiny_vit_backbone.build(classes=1, channels=3, resolution=32, width=[30, 64], depth=[1, 1], window=[7],
                                mlp_ratio=4.0, conv_expansion=4)  # fmt: skip
    with pytest.raises(ValueError, match="no model 'resnet_of_nowhere'"):
        timm_model.build(classes=10, channels=3, name="resnet_of_nowhere", resolution=32)


def test_a_timm_model_is_traced_once_and_then_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARS_CACHE", str(tmp_path))
    arguments = {"classes": 5, "channels": 3, "name": np.array(["resnet18"] * 3), "resolution": np.array([64, 96, 64])}
    counts = timm_model.cost(**arguments)
    network = timm_model.build(classes=5, channels=3, name="resnet18", resolution=64)
    assert counts[0] == counts[2] == trace(network, channels=3, resolution=64)
    files = sorted((tmp_path / "timm_statistics").iterdir())
    assert len(files) == 2
    changed = asdict(counts[0]) | {"macs": 7}
    next(file for file in files if "-64-" in file.name).write_text(json.dumps(changed), encoding="utf-8")
    assert timm_model.cost(**arguments).macs_N.tolist() == [7, counts[1].macs, 7]


def test_a_timm_model_of_fixed_size_has_the_resolution() -> None:
    network = timm_model.build(classes=5, channels=1, name="vit_tiny_patch16_224", resolution=64, stochastic_depth=0.1)
    assert network(torch.zeros(1, 1, 64, 64)).shape == (1, 5)

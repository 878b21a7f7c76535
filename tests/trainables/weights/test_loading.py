"""Weights on networks."""

from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from timm.models import load_pretrained

from tests.trainables.weights.small import MODEL, network, tensors, written
from trainables.pretrained import Source
from trainables.weights.loading import weights_for
from trainables.weights.sources import Start, WeightsError, start_of


def start(source: Source) -> Start:
    found = start_of(source.model, "mine", {"mine": source})
    assert found is not None
    return found


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_network_gets_what_timm_would_give_it(channels: int, tmp_path: Path) -> None:
    """Another number of classes, and any number of channels."""
    reference = timm.create_model(MODEL, num_classes=3, in_chans=channels)
    config = {**reference.pretrained_cfg, "state_dict": tensors(), "num_classes": 7}
    load_pretrained(reference, config, num_classes=3, in_chans=channels)
    weights = weights_for(start(written(tmp_path)), network(channels=channels))
    expected = {f"network.{name}": value for name, value in reference.state_dict().items()}
    assert set(expected) - set(weights) == {
        name for name in expected if name.endswith("tracked") or ".classifier." in name
    }
    assert all(torch.equal(value, expected[name]) for name, value in weights.items())


def test_positions_are_those_of_timms_tensors_without_counters(tmp_path: Path) -> None:
    named = tensors()
    values = [value for name, value in named.items() if not name.endswith("num_batches_tracked")]
    torch.save({f"layer{number}": value for number, value in enumerate(values)}, tmp_path / "x.pth")
    positional = start(Source(model=MODEL, path=str(tmp_path / "x.pth"), format="positional"))
    weights = weights_for(positional, network())
    assert all(torch.equal(value, named[name.removeprefix("network.")]) for name, value in weights.items())


def test_a_file_without_an_order_has_no_positions(tmp_path: Path) -> None:
    source = replace(written(tmp_path), format="positional")
    with pytest.raises(WeightsError, match=r"\.safetensors keeps no order of its tensors"):
        weights_for(start(source), network())


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"do not fit: tensor 'conv_stem\.weight' is missing"):
        weights_for(start(written(tmp_path, conv_stem__weight=None)), network())


def test_a_tensor_of_another_shape_is_named(tmp_path: Path) -> None:
    wrong = torch.zeros(3)
    with pytest.raises(WeightsError, match=r"'bn1\.weight' has the shape \(3,\), test_efficientnet needs \(\d+,\)"):
        weights_for(start(written(tmp_path, bn1__weight=wrong)), network())


def test_a_tensor_too_many_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"test_efficientnet has no tensor 'conv_third\.weight'"):
        weights_for(start(written(tmp_path, conv_third__weight=torch.zeros(3))), network())


def test_weights_with_names_of_another_model_are_refused(tmp_path: Path) -> None:
    torch.save(dict(timm.create_model("test_resnet").state_dict()), tmp_path / "x.pth")
    named = start(Source(model=MODEL, path=str(tmp_path / "x.pth")))
    with pytest.raises(
        WeightsError, match=r"are of another model: of its \d+ tensors \d+ have names of test_efficientnet"
    ):
        weights_for(named, network())


def test_positional_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    torch.save(tensors(), tmp_path / "x.pth")
    source = Source(model="test_resnet", path=str(tmp_path / "x.pth"), format="positional")
    other = network()
    other.network = timm.create_model("test_resnet", num_classes=3)
    with pytest.raises(WeightsError, match=r"are of another model: \d+ tensors, of which test_resnet has \d+"):
        weights_for(start(source), other)

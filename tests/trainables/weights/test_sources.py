"""What names of weights stand for."""

import json
from pathlib import Path
from typing import Any

import pytest
import timm

from tests.trainables.weights.small import MODEL, TAG, written
from trainables.pretrained import Source
from trainables.weights.sources import WeightsError, start_of

LITE = Source(model="tf_efficientnet_lite0", path="nowhere.pth", format="positional")


def test_none_is_no_start() -> None:
    assert start_of("resnet18", "none", {}) is None


@pytest.mark.parametrize("name", ["lite", "pretrained"])
def test_a_source_is_meant_by_its_name_and_by_its_model(name: str) -> None:
    """Images are prepared as timm says of the model, unless the source says otherwise."""
    start = start_of(LITE.model, name, {"lite": LITE, "other": Source(model="resnet18", path="x")})
    assert start is not None
    assert (start.path, start.format) == (LITE.path, "positional")
    assert start.inputs == {"mean": (0.5,) * 3, "std": (0.5,) * 3, "interpolation": "bicubic"}
    own = Source(model=LITE.model, path="x", mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0), interpolation="nearest")
    start = start_of(LITE.model, name, {"lite": own})
    assert start is not None
    assert start.inputs == {"mean": own.mean, "std": own.std, "interpolation": "nearest"}


@pytest.mark.parametrize("name", ["pretrained", TAG])
def test_timms_tag_is_meant_by_itself_and_as_the_default(name: str) -> None:
    start = start_of(MODEL, name, {})
    assert start is not None
    config = timm.get_pretrained_cfg(f"{MODEL}.{TAG}")
    assert (start.path, start.tag) == (None, TAG)
    assert start.inputs == {"mean": config.mean, "std": config.std, "interpolation": config.interpolation}


def exported(folder: Path, **config: Any) -> str:
    content = {
        "architecture": "nars",
        "model_args": {"backbone": "timm_model", "architecture": {"name": MODEL, "resolution": 32}},
        "pretrained_cfg": {"mean": [0.4], "std": [0.3], "interpolation": "nearest"},
        **config,
    }
    (folder / "config.json").write_text(json.dumps(content))
    return f"local-dir:{folder}"


def test_an_exported_member_brings_its_preprocessing(tmp_path: Path) -> None:
    start = start_of(MODEL, exported(tmp_path), {})
    assert start is not None
    assert start.path == str(tmp_path / "model.safetensors")
    assert start.inputs == {"mean": (0.4,), "std": (0.3,), "interpolation": "nearest"}
    assert start_of(MODEL, exported(tmp_path, architecture=MODEL, model_args={}), {}) is not None


@pytest.mark.parametrize(("view", "rule"), [({"interpolation": "nearest"}, "nearest"), ({}, "bilinear")])
def test_how_files_were_resized_is_not_how_the_network_resized(view: dict[str, str], rule: str, tmp_path: Path) -> None:
    prepared = {"mean": [0.4], "std": [0.3], "interpolation": "bicubic", "crop_mode": "center"}
    arguments = {"architecture": {"name": MODEL}, "view": view}
    start = start_of(MODEL, exported(tmp_path, pretrained_cfg=prepared, model_args=arguments), {})
    assert start is not None
    assert start.inputs["interpolation"] == rule


@pytest.mark.parametrize(
    ("model", "name", "sources", "message"),
    [
        ("resnet18", "lite", {"lite": LITE}, "weights 'lite' are of tf_efficientnet_lite0, not of resnet18"),
        ("resnet18", "of_nobody", {"lite": LITE}, "of resnet18: timm .* has a1_in1k, .*, section weights has lite"),
        ("test_mambaout", "pretrained", {}, "timm .* has no weights of test_mambaout: give a file"),
        (LITE.model, "pretrained", {"a": LITE, "b": LITE}, "'pretrained' weights of .* can be a, b of section weights"),
        ("of_nobody", "mine", {"mine": Source(model="of_nobody", path="x")}, "give weights.mine.mean and std"),
        ("resnet18", "local-dir:nowhere", {}, "'nowhere' is no folder of an exported member"),
    ],
)
def test_what_a_name_does_not_stand_for_is_said(
    model: str, name: str, sources: dict[str, Source], message: str
) -> None:
    if model == "test_mambaout":
        model = next(name for name in timm.list_models() if not timm.list_pretrained(f"{name}*"))
        message = message.replace("test_mambaout", model)
    with pytest.raises(WeightsError, match=message):
        start_of(model, name, sources)


def test_a_member_of_another_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=f"are of {MODEL}, not of resnet18"):
        start_of("resnet18", exported(tmp_path), {})


def test_weights_are_written_for_their_model(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=f"'x' are of {MODEL}, not of resnet18; see section weights"):
        start_of("resnet18", "x", {"x": written(tmp_path)})

"""One value describes the way from a file to a network; training, graphs, timm's file and predict.py all go it."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config
from torch import nn

from search.family.export import write_graphs
from search.family.folder import InputSpec, load_spec, onnx_runner
from spaces.candidate import Candidate, keywords
from tests.search.products import export as export_member
from tests.search.products import member, spec_of
from tests.trainables.small import MOBILE
from tests.trainables.test_predict import MODES, picture, saved
from trainables.backbones import mobile
from trainables.decoding import Decoding, decode
from trainables.deploy import Deployable
from trainables.final.timm_folder import timm_config
from trainables.preprocessing import Preprocessing, View

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SHAPES = ((13, 9), (40, 40), (7, 90), (1, 1))


def described(channels: int = 3, **view: Any) -> Preprocessing:
    decoding = Decoding(side=16, channels=channels, background=(250, 240, 230))
    mean, std = (MEAN, STD) if channels == 3 else ((0.4,), (0.3,))
    return Preprocessing(decoding=decoding, mean=mean, std=std, view=View(**{"resolution": 16, **view}))


class Shown(nn.Module):
    """Its scores are the pixels that it sees."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)


def opaque(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """What a card asks for before timm's transform."""
    if image.mode == "I;16":
        return Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if not image.has_transparency_data:
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, (*background, 255)), image.convert("RGBA"))


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Preprocessing, Path]:
    """The graphs of a network that shows what it sees."""
    folder = tmp_path_factory.mktemp("graphs")
    preprocessing = described(resolution=12, interpolation="bicubic", crop=0.875)
    classes = tuple(map(str, range(3 * preprocessing.view.resolution**2)))
    write_graphs(
        Deployable.of(Shown(), preprocessing).eval(), InputSpec(preprocessing=preprocessing, classes=classes), folder
    )
    return preprocessing, folder


@pytest.mark.parametrize("mode", MODES)
def test_all_ways_end_in_the_same_pixels(mode: str, graphs: tuple[Preprocessing, Path]) -> None:
    preprocessing, folder = graphs
    run_onnx = onnx_runner(folder / "model.onnx")
    program = torch.export.load(folder / "model.pt2").module()
    network = Deployable.of(Shown(), preprocessing).eval()
    config = preprocessing.for_timm()
    options = {name: config[name] for name in ("interpolation", "crop_pct", "crop_mode", "mean", "std")}
    transform = create_transform(tuple(config["input_size"]), **options)
    for width, height in SHAPES:
        image = picture(mode, width, height)
        pixel_CHW, _ = decode(saved(image), preprocessing.decoding)
        stored_NCHW = torch.from_numpy(pixel_CHW[None]).float().div(255.0)
        seen_NP = network(stored_NCHW)
        by_timm_NCHW = transform(opaque(image, preprocessing.decoding.background).convert("RGB"))[None]
        others = {
            "onnx": torch.from_numpy(run_onnx(stored_NCHW.numpy())),
            "pt2": program(stored_NCHW),
            "timm": preprocessing.view.of(by_timm_NCHW).flatten(1),
        }
        std_P = torch.tensor(preprocessing.std).repeat_interleave(seen_NP.shape[1] // 3)
        for way, other_NP in others.items():
            assert float(((other_NP - seen_NP) * std_P).abs().max()) <= 1 / 255 + 1e-6, (way, width, height)


@pytest.mark.nightly
def test_timm_builds_a_network_that_sees_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    architecture = {**MOBILE, "resolution": 12}
    candidate = Candidate(backbone="mobile", objective="supervised", architecture=architecture, recipe={})
    bare = mobile.build(classes=3, channels=3, **keywords(architecture)).eval()
    spec = spec_of(16, 12, MEAN, STD, ("a", "b", "c"), interpolation="bicubic", crop=0.75)
    export_member(tmp_path / "m", member(candidate=candidate), bare, spec)
    loaded = timm.create_model(f"local-dir:{tmp_path / 'm'}", pretrained=True).eval()
    config = resolve_model_data_config(loaded)
    transform = create_transform(**config)
    assert config["input_size"] == (3, 16, 16)
    script = imported(tmp_path / "m" / "predict.py")
    for mode in MODES:
        image = picture(mode, 31, 23)
        pixel_CHW, _ = script.decode(saved(image), script.Decoding(side=16))
        graph = onnx_runner(tmp_path / "m" / "model.onnx")(pixel_CHW[None].astype(np.float32) / 255)
        with torch.no_grad():
            scores = loaded(transform(opaque(image, (255, 255, 255)).convert("RGB"))[None])
            features = loaded.forward_features(transform(opaque(image, (255, 255, 255)).convert("RGB"))[None])
        np.testing.assert_allclose(graph, scores.numpy(), atol=1e-4)
        assert features.shape[-1] <= 12
    plain = timm.create_model(f"local-dir:{tmp_path / 'm'}", pretrained=True, view={}).eval()
    image_NCHW = torch.rand(1, 3, 12, 12)
    with torch.no_grad():
        torch.testing.assert_close(plain(image_NCHW), loaded(image_NCHW))  # other sides are taken as they are


def imported(file: Path) -> Any:
    """A script as a module of its own."""
    found = importlib.util.spec_from_file_location("member_predict", file)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["member_predict"] = module  # dataclasses look there
    found.loader.exec_module(module)
    return module


def test_the_description_comes_back_from_json() -> None:
    for preprocessing in (described(), described(channels=1, resolution=7, crop=0.5, interpolation="nearest")):
        assert Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict()))) == preprocessing
        assert Deployable.of(Shown(), preprocessing).preprocessing(preprocessing.decoding) == preprocessing


def test_the_card_says_every_number() -> None:
    preprocessing = described(resolution=12, crop=0.75, interpolation="bicubic")
    text = " ".join([*preprocessing.before_graph(), *preprocessing.in_graph()])
    for said in (
        "the colour (250, 240, 230)", "resized to 16 pixels (bicubic as Pillow", "middle 16 x 16",
        "shape (N, 3, 16, 16)", "middle 12 x 12 pixels are cropped", "mean 0.485 0.456 0.406", "0.229 0.224 0.225",
    ):  # fmt: skip
        assert said in text
    assert "resized to 12 x 12" not in text  # the crop has that side already
    assert "resized to 12 x 12 pixels (bilinear, not antialiased)" in " ".join(described(resolution=12).in_graph())


@pytest.mark.parametrize(
    "wrong",
    [{"crop": 0.0}, {"crop": 1.5}, {"interpolation": "lanczos"}],
)
def test_views_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"crop is a share|a network resizes by"):
        View(resolution=8, **wrong)


def test_numbers_that_fit_no_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="3 channels need as many means"):
        Preprocessing(decoding=Decoding(side=8), mean=(0.5,), std=(0.5,), view=View(resolution=8))


def test_members_of_the_first_format_are_read(tmp_path: Path) -> None:
    old = {"channels": 1, "size": 8, "resolution": 12, "mean": [0.3], "std": [0.4], "classes": ["a", "b"]}
    (tmp_path / "input.json").write_text(json.dumps(old))
    spec = load_spec(tmp_path)
    assert spec.classes == ("a", "b")
    assert spec.preprocessing.shape == (1, 8, 8)
    assert spec.preprocessing.view == View(resolution=12)
    assert spec.preprocessing.decoding.background == (0, 0, 0)


def test_nothing_is_left_to_a_model_that_sees_what_is_stored() -> None:
    candidate = member().candidate
    assert "view" not in timm_config(described(), Shown(), candidate, "ab")["model_args"]
    assert "view" in timm_config(described(crop=0.5), Shown(), candidate, "ab")["model_args"]

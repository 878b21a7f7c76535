"""A member's folder in the hands of somebody who has neither this project nor its libraries."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from search.family.copies import copy_family
from search.family.folder import InputSpec
from search.family.members import Family
from search.family.portable import timm_file
from spaces.candidate import Candidate, keywords
from tests.emoji import needs_emoji, write_emoji
from tests.search.family.test_fresh_loading import BLOCK, OURS
from tests.search.products import export, member
from tests.trainables.small import MOBILE
from trainables.backbones import mobile
from trainables.data import folder as images_in_folders
from trainables.data.kept import names_of
from trainables.deploy import Deployable
from trainables.splits import Splits
from trainables.training.features import scores

GROUPS = ("Animals & Nature", "Food & Drink", "Objects")
pytestmark = needs_emoji


@pytest.fixture(scope="module")
def handed_over(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Deployable, Splits]:
    """The folder of a family of one network that was trained on emoji for a few seconds, the network, its images."""
    root = tmp_path_factory.mktemp("emoji")
    write_emoji(root / "images", GROUPS, 40)
    splits = images_in_folders.load(path=str(root / "images"), resolution=24, split="drawn", cache=str(root / "cache"))
    torch.manual_seed(0)
    architecture = {**MOBILE, "resolution": 16}
    bare = mobile.build(classes=3, channels=3, **keywords(architecture))
    network = Deployable(bare, mean=splits.mean, std=splits.std, resolution=16)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    image_NCHW, label_N = splits.train.batch(np.arange(len(splits.train)))
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(image_NCHW), label_N).backward()
        optimizer.step()
    network.eval()
    candidate = Candidate(backbone="mobile", objective="supervised", architecture=architecture, recipe={})
    one = member(candidate=candidate, resolution=16)
    spec = InputSpec(preprocessing=network.preprocessing(splits.decoding), classes=splits.classes)
    export(root / "family" / one.name, one, bare, spec)
    Family(members=(one,)).save(root / "family")
    return root / "family", network, splits


def elsewhere(blocked: set[str], cwd: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a script where these packages cannot be imported, nor this project."""
    whole = [sys.executable, "-c", BLOCK, ",".join(sorted(OURS | blocked)), *map(str, command)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(whole, cwd=cwd, capture_output=True, text=True, check=False, env=environment)


WITHOUT_TORCH = {"torch", "torchvision", "timm", "onnx", "onnxscript", "scipy", "sklearn", "pandas", "mlflow", "ray"}


def test_predict_answers_as_training_evaluates(handed_over: tuple[Path, Deployable, Splits], tmp_path: Path) -> None:
    family, network, splits = handed_over
    files = names_of(splits.test)
    done = elsewhere(WITHOUT_TORCH, tmp_path, family / "member-1" / "predict.py", "--json", "--top", "3", *files)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    share_NK = scores(network, splits.test).softmax(dim=1).numpy()
    right = 0
    for file, answer, share_K, label in zip(files, answers, share_NK, splits.test.label_N, strict=True):
        assert answer["file"] == file
        stated = {one["class"]: one["probability"] for one in answer["classes"]}
        assert stated == pytest.approx(dict(zip(splits.classes, share_K.tolist(), strict=True)), abs=2e-4)
        assert answer["classes"][0]["class"] == splits.classes[int(share_K.argmax())]
        right += answer["classes"][0]["class"] == splits.classes[label]
    assert right > 0.5 * len(files)


def test_predict_reads_a_folder_and_names_what_it_cannot(
    handed_over: tuple[Path, Deployable, Splits], tmp_path: Path
) -> None:
    script = handed_over[0] / "member-1" / "predict.py"
    (tmp_path / "in").mkdir()
    Image.new("RGB", (30, 20), "green").save(tmp_path / "in" / "1 ж.jpg")
    (tmp_path / "in" / "2.png").write_bytes(b"x")
    (tmp_path / "in" / "notes.txt").write_text("x")
    done = elsewhere(WITHOUT_TORCH, tmp_path, script, "in")
    first, second = done.stdout.splitlines()
    assert re.fullmatch(r"in/1 ж\.jpg: (\S.* 0\.\d{4}(, )?){3}", first)
    assert second == "in/2.png: not read: it is no image of a known format"
    assert done.returncode == 1
    for arguments, words in ((["nowhere.png"], "'nowhere.png' does not exist"), ([str(tmp_path)], None)):
        again = elsewhere(WITHOUT_TORCH, tmp_path, script, *arguments)
        assert (again.returncode, "Traceback" in again.stderr) == (2 if words else 1, False)
        assert words is None or words in again.stderr
    (tmp_path / "empty").mkdir()
    assert "has no image" in elsewhere(WITHOUT_TORCH, tmp_path, script, "empty").stderr


TIMM = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import nars_timm, timm, torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config
model = timm.create_model(f"local-dir:{sys.argv[1]}", pretrained=True).eval()
transform = create_transform(**resolve_model_data_config(model))
def read(file):
    image = Image.open(file).convert("RGBA")
    return transform(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB"))
with torch.no_grad():
    print(json.dumps(model(torch.stack([read(file) for file in sys.argv[2:]])).tolist()))
other = timm.create_model(f"local-dir:{sys.argv[1]}", pretrained=True, num_classes=7, drop_rate=0.1).train()
other(torch.rand(2, 3, 24, 24)).sum().backward()
"""


@pytest.mark.slow
def test_timm_loads_a_member_without_this_project(handed_over: tuple[Path, Deployable, Splits], tmp_path: Path) -> None:
    family, network, splits = handed_over
    (tmp_path / "script.py").write_text(TIMM)
    blocked = {"onnxruntime", "mlflow", "ray", "pandas", "sklearn", "fvcore"}
    done = elsewhere(blocked, tmp_path, tmp_path / "script.py", family / "member-1", *names_of(splits.test))
    assert done.returncode == 0, done.stderr[-3000:]
    np.testing.assert_allclose(json.loads(done.stdout), scores(network, splits.test).numpy(), atol=1e-3)


def test_the_file_for_timm_has_every_backbone_and_no_import_of_ours() -> None:
    text = timm_file()
    assert text == timm_file()
    sources: dict[str, Any] = {}
    exec(text.partition("class _Sources")[0], sources)
    package = next(iter(sources["SOURCES"]))
    for name in ("mobile", "resnet", "tiny_vit", "timm_model"):
        assert f"{package}.trainables.backbones.{name}" in sources["SOURCES"]
    for source in sources["SOURCES"].values():
        assert not re.search(r"^\s*(from|import) (spaces|trainables|search|predictors)\b", source, re.MULTILINE)


def test_an_8_bit_copy_is_timed_beside_the_floats(handed_over: tuple[Path, Deployable, Splits], tmp_path: Path) -> None:
    family, _, splits = handed_over
    (comparison,) = copy_family(family, tmp_path / "copy", splits, 32)
    assert min(comparison.latency_ms, comparison.int8_latency_ms) > 0
    text = (tmp_path / "copy" / "member-1" / "README.md").read_text()
    for batch in (1, 8, 32):
        assert re.search(rf"^\| {batch} \| \d+\.\d{{3}} ms \| \d+\.\d{{3}} ms \|$", text, re.MULTILINE)
    model = tmp_path / "copy" / "member-1" / "model.int8.onnx"
    script = tmp_path / "copy" / "member-1" / "predict.py"
    assert elsewhere(WITHOUT_TORCH, tmp_path, script, "--model", model, names_of(splits.test)[0]).returncode == 0

import hashlib

import numpy as np
import onnx
import pandas as pd
import pytest
import torch
from torch import nn

from search.__main__ import main
from search.experiment.experiment import save_config
from search.family.folder import onnx_runner
from search.family.members import Family, load_family
from search.files import LOCK, alone, check_sums
from search.setting.config import parse
from tests.places import ROOT
from tests.search.products import export, member, spec_of
from trainables.data.sources import load_source
from trainables.deploy import Deployable

CONFIG = ROOT / "configs" / "digits.yaml"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run's folder with one member: a small network that was really trained on digits, for a few seconds."""
    config = parse(CONFIG.read_text()).model_copy(update={"runs": str(tmp_path_factory.mktemp("runs")), "name": "toy"})
    splits = load_source(config.data.source, config.data.keywords)
    images, labels = splits.train.batch(np.arange(len(splits.train)))
    torch.manual_seed(0)
    layers = (nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10))
    model = Deployable(nn.Sequential(*layers), mean=splits.mean, std=splits.std, resolution=8)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    spec = spec_of(8, 8, splits.mean, splits.std, splits.classes)
    one = member(resolution=8)
    folder = config.folder / "family"
    export(folder / one.name, one, model.network.eval(), spec)
    Family(members=(one,)).save(folder)
    save_config(config)
    return config.folder, splits, model.eval()


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    target = tmp_path_factory.mktemp("target") / "out"
    for _ in range(2):  # the second replaces the first
        assert main(["export", str(run[0]), "--to", str(target)]) == 0
    return target


def test_the_copy_is_a_family_with_whole_members(run, exported):
    assert load_family(exported) == load_family(run[0] / "family")
    check_sums(exported / "member-1")
    for name in ("model.onnx", "model.safetensors"):
        digests = {
            hashlib.sha256((folder / "member-1" / name).read_bytes()).hexdigest()
            for folder in (run[0] / "family", exported)
        }
        assert len(digests) == 1
    assert sorted(path.name for path in exported.iterdir()) == ["family.csv", "family.json", "int8.csv", "member-1"]


def test_a_second_export_to_the_same_folder_is_kept_out(run, tmp_path, capsys):
    with alone(tmp_path):
        assert main(["export", str(run[0]), "--to", str(tmp_path)]) == 2
    assert f"another process works on '{tmp_path}'" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]


def test_the_stated_accuracies_are_those_of_the_files(run, exported):
    _, splits, model = run
    images, labels = splits.test.batch(np.arange(len(splits.test)))
    stated = pd.read_csv(exported / "int8.csv").iloc[0]
    with torch.no_grad():
        right = (model(images).argmax(1) == labels).float().mean().item()
    assert stated["accuracy"] == pytest.approx(right, abs=1 / len(labels))
    small = onnx_runner(exported / "member-1" / "model.int8.onnx")(images.numpy())
    assert stated["int8_accuracy"] == pytest.approx(float((small.argmax(1) == labels.numpy()).mean()))
    assert stated["accuracy"] > 0.9
    assert stated["int8_accuracy"] > stated["accuracy"] - 0.02
    assert f"{stated['int8_accuracy']:.4f}" in (exported / "member-1" / "README.md").read_text()


def test_the_weights_really_have_8_bits(exported):
    graph = onnx.load(exported / "member-1" / "model.int8.onnx").graph
    bits = {tensor.name: tensor.data_type for tensor in graph.initializer if np.prod(tensor.dims) > 256}
    assert bits
    assert set(bits.values()) == {onnx.TensorProto.INT8}
    sizes = pd.read_csv(exported / "int8.csv").iloc[0]
    assert sizes["int8_size"] < 0.6 * sizes["size"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("family", "own family"),
        ("config.yaml", "no exported family"),
        (".", "no exported family"),
        ("/proc/x", "cannot be written"),
    ],
)
def test_a_target_that_holds_something_else_is_left_alone(run, capsys, target, message):
    before = sorted(run[0].rglob("*"))
    assert main(["export", str(run[0]), "--to", str(run[0] / target)]) == 2
    assert message in capsys.readouterr().err
    assert sorted(run[0].rglob("*")) == before


def test_mistakes_are_one_sentence(run, capsys, tmp_path):
    assert main(["export", str(tmp_path), "--to", str(tmp_path / "x")]) == 2
    assert "holds no run" in capsys.readouterr().err
    assert main(["export", str(run[0]), "--to", str(tmp_path / "x"), "--calibration", "0"]) == 2
    assert "at least 1" in capsys.readouterr().err
    weights = run[0] / "family" / "member-1" / "model.safetensors"
    content = weights.read_bytes()
    try:
        weights.write_bytes(content + b"x")
        assert main(["export", str(run[0]), "--to", str(tmp_path / "x")]) == 2
        assert "not the file that was exported" in capsys.readouterr().err
    finally:
        weights.write_bytes(content)

import ast
import hashlib
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import yaml
from torch import nn
from torch.nn import functional

from search.family import export
from search.family.card import card
from search.family.export import ExportMismatch, compare
from search.family.folder import load_network, load_spec, onnx_runner
from search.family.portable import predict_file
from search.family.spent import Spent
from search.files import DamagedFiles, check_sums, whole_folder
from spaces.candidate import Candidate
from tests.search import products
from tests.search.products import (
    PROVENANCE,
    SPEC,
    beside_references,
    load_weights,
    member,
    network,
    spec_of,
)
from trainables.counting.latency import device_name
from trainables.counting.times import Latency


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """One export for all tests that only read it."""
    folder = tmp_path_factory.mktemp("family") / "member-1"
    products.export(folder, member())
    return folder


def by_hand(images):
    """The scores by definition: normalise, resize, network."""
    preprocessing = SPEC.preprocessing
    scaled = (torch.from_numpy(images) - preprocessing.mean[0]) / preprocessing.std[0]
    with torch.no_grad():
        return network()(functional.interpolate(scaled, size=(12, 12), mode="bilinear")).numpy()


def test_the_folder_holds_everything_and_nothing_else(exported):
    assert sorted(path.name for path in exported.iterdir()) == [
        "README.md",
        "SHA256SUMS",
        "candidate.json",
        "config.json",
        "input.json",
        "model.onnx",
        "model.pt2",
        "model.safetensors",
        "nars_timm.py",
        "predict.py",
    ]
    assert [path.name for path in exported.parent.iterdir()] == ["member-1"]
    differences = compare(export._deployable(network(), SPEC), SPEC, exported)
    assert 0 <= differences["pt2"] <= 1e-5
    assert 0 <= differences["onnx"] <= 1e-4
    onnx.checker.check_model(str(exported / "model.onnx"), full_check=True)


def test_the_script_of_a_member_imports_nothing_of_ours() -> None:
    tree = ast.parse(predict_file())
    named = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    named += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert "numpy" in named
    assert not {name.partition(".")[0] for name in named} & {"trainables", "spaces", "search", "predictors"}


@pytest.mark.parametrize("count", [1, 3, 100])
def test_onnx_runtime_gives_the_scores_of_the_definition(exported, count):
    images = np.random.default_rng(count).random((count, 1, 8, 8), dtype=np.float32)
    scores = onnx_runner(exported / "model.onnx")(images)
    np.testing.assert_allclose(scores, by_hand(images), atol=1e-5)


def test_the_weights_are_those_of_the_bare_network(exported):
    weights = load_weights(exported)
    expected = network().state_dict()
    assert set(weights) == set(expected)
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_candidate_and_input_come_back(exported):
    content = json.loads((exported / "candidate.json").read_text())
    assert Candidate.from_dict(content) == member().candidate
    assert load_spec(exported) == SPEC


def test_the_card_says_data_recipe_cost_accuracy_and_gaps(exported):
    text = (exported / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    facts = yaml.safe_load(front)
    assert facts["datasets"] == ["digits"]
    assert facts["model-index"][0]["results"][0]["metrics"] == [{"type": "accuracy", "value": 0.9}]
    for said in ("optimizer.lr.sgd | 0.1", "| 1000 | 200 | 50 | 12 |", "100 train images", "A toy.", "not been read"):
        assert said in body


def test_the_card_is_one_that_the_hub_reads(exported):
    """In a process of its own: the library's imports warn about things that are not ours."""
    code = (
        "import sys; from pathlib import Path; from huggingface_hub import ModelCard\n"
        "data = ModelCard(Path(sys.argv[1]).read_text()).data; result = data.eval_results[0]\n"
        "print(data.library_name, data.pipeline_tag, result.dataset_name, result.metric_type, result.metric_value)"
    )
    command = [sys.executable, "-c", code, str(exported / "README.md")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["pytorch", "image-classification", "digits", "accuracy", "0.9"]


def test_a_card_with_a_test_accuracy_reports_that_one():
    text = card(
        member(test_accuracy=0.875, test_accuracy_std=0.0125, seeds=5, latency_ms=1.25),
        SPEC,
        PROVENANCE,
        {"onnx": 1e-6, "pt2": 0.0},
    )
    result = yaml.safe_load(text.split("---\n")[1])["model-index"][0]["results"][0]
    assert result["metrics"][0]["value"] == 0.875
    assert "| test | 0.8750 | 0.669 to 0.960 (95 %, 20 images) | 5 | 0.0125 |" in text
    assert "1.250 ms" in text
    assert "has not been read" not in text


def described(**changes):
    return card(member(**changes), SPEC, PROVENANCE, {"onnx": 1e-6, "pt2": 0.0})


def test_the_card_says_what_training_took():
    final = Spent(trainings=2, seconds=12.34, images=1500, passes=3000)
    search = Spent(trainings=1, seconds=4.0, images=500, passes=1000)
    text = described(spent={"search": search, "final": final})
    assert "| its final trainings | 2 | 12.3 | 1500 | 3000 |" in text
    assert "| its trials in the search | 1 | 4.0 | 500 | 1000 |" in text
    assert "it was predicted" not in text
    assert "it was predicted" in described(spent={"final": final})
    assert "Cost of training" not in described()  # a family written before it was counted


def test_the_card_says_what_searching_brought():
    text = described(compared=beside_references(0.8, 1100))
    assert "## Beside references written by hand" in text
    assert "member-1: as accurate as references of 2.52k macs (nearest: by hand, 2000) at 2.3 times fewer macs" in text
    assert "The intervals are from the 200 test images" in text
    assert "## Cost of one image" in text
    assert "written by hand" not in described()


def test_the_card_knows_every_role():
    pretrained = replace(
        member().candidate, pretraining={"objective": "simclr", "share": 0.5}, adaptation={"method": "full"}
    )
    text = described(candidate=pretrained)
    for said in ("| objective | simclr |", "| method | full |", "architecture, recipe, pretraining and adaptation"):
        assert said in text
    plain = described()
    assert "architecture and recipe" in plain
    assert "pretraining" not in plain


def test_what_people_call_their_classes_stays_text():
    spec = spec_of(8, 8, (0.3,), (0.4,), ["<script>alert(1)</script>", "[x](http://y)", "a|b\n# c", "$x_1$"])
    text = card(member(), spec, PROVENANCE, {"onnx": 1e-6, "pt2": 0.0})
    assert r"\<script\>alert\(1\)\</script\>, \[x\]\(http://y\), a\|b \# c, \$x\_1\$." in text


def test_the_licence_is_what_the_configuration_says():
    stated = card(member(), SPEC, replace(PROVENANCE, license="cc-by-4.0"), {"onnx": 1e-6, "pt2": 0.0})
    assert yaml.safe_load(stated.split("---\n")[1])["license"] == "cc-by-4.0"
    assert "cc-by-4.0, as the configuration of the run says" in stated
    assert "No licence was stated" in described()


def test_everyone_can_read_every_file(exported):
    assert {oct(path.stat().st_mode & 0o777) for path in exported.iterdir()} == {"0o644"}


def test_the_sums_are_those_of_sha256sum(exported):
    check_sums(exported)
    for line in (exported / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((exported / name).read_bytes()).hexdigest() == digest


def test_the_latency_is_that_of_the_written_file(tmp_path, monkeypatch):
    """The network is exported once, and measured on what is handed over."""
    measured, exports = [], []
    to_onnx = torch.onnx.export

    def measure(path, *, batch, warm_up, repeats):
        measured.append(path.read_bytes())
        median_ms = 1.23456789 * batch
        return Latency(median_ms=median_ms, spread_ms=0.0, runtime="onnxruntime", threads=1, batch=batch, repeats=1)

    def counted(*arguments, **options):
        exports.append(1)
        return to_onnx(*arguments, **options)

    monkeypatch.setattr(export, "measure_file", measure)
    monkeypatch.setattr(torch.onnx, "export", counted)

    def describe(latency):
        return member(latency_ms=latency.median_ms)

    one = export.export_member(network(), member().candidate, SPEC, tmp_path / "m", describe, PROVENANCE)
    assert one == member(latency_ms=1.23456789)
    assert measured == 3 * [(tmp_path / "m" / "model.onnx").read_bytes()]
    assert len(exports) == 1
    text = (tmp_path / "m" / "README.md").read_text()
    assert "| 1 | 1.235 ms | 0.000 ms | 1.235 ms |" in text
    assert "| 32 | 39.506 ms | 0.000 ms | 1.235 ms |" in text
    assert f"Measured on {device_name()}, onnxruntime, 1 thread" in text


def test_a_folder_that_was_changed_is_not_loaded(tmp_path):
    with whole_folder(tmp_path / "m") as temporary:
        (temporary / "model.safetensors").write_bytes(b"x")
    (tmp_path / "m" / "model.safetensors").write_bytes(b"y")
    with pytest.raises(DamagedFiles, match=r"model\.safetensors"):
        load_network(tmp_path / "m")
    (tmp_path / "m" / "SHA256SUMS").unlink()
    with pytest.raises(DamagedFiles, match="never finished"):
        load_network(tmp_path / "m")


def test_files_of_another_network_are_refused(exported):
    other = network()
    with torch.no_grad():
        other[-1].bias += 1e-2
    model = export._deployable(other, SPEC)
    with pytest.raises(ExportMismatch, match=r"model\.onnx differs .* batch of 1"):
        compare(model, SPEC, exported)


def test_a_network_in_training_mode_or_of_another_shape_is_refused(tmp_path):
    with pytest.raises(ValueError, match="evaluation mode"):
        products.export(tmp_path / "m", member(), network().train())
    with pytest.raises(ValueError, match=r"shape \(2, 10\)"):
        products.export(tmp_path / "m", member(), network(classes=3))
    assert list(tmp_path.iterdir()) == []


class Branching(nn.Module):
    """Its branch depends on the content of the image, which no exported graph can follow."""

    def forward(self, image):
        return image.mean((1, 2, 3))[:, None].repeat(1, 10) * (2 if image.sum() > 0 else 1)


def test_a_failed_export_leaves_the_old_folder_as_it_was(tmp_path):
    folder = tmp_path / "m"
    with whole_folder(folder) as temporary:
        (temporary / "old").write_text("old")
    with pytest.raises(Exception, match=r"(?i)data-dependent|guard"):
        products.export(folder, member(), Branching().eval())
    check_sums(folder)
    assert (folder / "old").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_killed_export_leaves_no_half_folder(tmp_path):
    """SIGKILL inside the block: the target never appears, and the next export clears the rest away."""
    script = (
        "import os, signal, pathlib, sys\nfrom search.files import whole_folder\n"
        "with whole_folder(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'model.onnx').write_text('half')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path / "m")], check=False).returncode == -9
    assert not (tmp_path / "m").exists()
    with whole_folder(tmp_path / "m") as temporary:
        (temporary / "model.onnx").write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    check_sums(tmp_path / "m")


def test_the_graphs_carry_no_path_of_the_machine_that_wrote_them(exported):
    here = str(Path(export.__file__).parents[1]).encode()
    with zipfile.ZipFile(exported / "model.pt2") as archive:
        parts = [archive.read(name) for name in archive.namelist()]
    parts.append((exported / "model.onnx").read_bytes())
    assert all(here not in part and b"site-packages" not in part for part in parts)

"""Files of weights: fetched once, read without running anything."""

import pickle
import sys
from pathlib import Path
from typing import Any

import fsspec
import pytest
import timm
import torch
from safetensors.torch import save_file

from tests.trainables.weights.small import MODEL, TAG, tensors, written
from trainables.pretrained import Source
from trainables.weights import files
from trainables.weights.files import local_file, read, tensors_of
from trainables.weights.sources import Start, WeightsError, start_of


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARS_CACHE", str(tmp_path / "cache"))


def start(path: str) -> Start:
    found = start_of(MODEL, "mine", {"mine": Source(model=MODEL, path=path)})
    assert found is not None
    return found


@pytest.mark.parametrize("nested", ["", "state_dict", "model"])
def test_torchs_files_are_read(nested: str, tmp_path: Path) -> None:
    expected = tensors()
    torch.save({nested: expected, "epoch": 3} if nested else expected, tmp_path / "x.pth")
    content = read(tmp_path / "x.pth", "x")
    assert list(content) == list(expected)
    assert all(torch.equal(content[name], value) for name, value in expected.items())


class Harmful:
    """Writes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return (Path.touch, (self.trace,))


@pytest.mark.parametrize("write", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value, protocol=2))])
def test_a_file_with_code_is_refused_and_its_code_not_run(write: Any, tmp_path: Path) -> None:
    write({"weight": Harmful(tmp_path / "trace")}, tmp_path / "x.pth")
    with pytest.raises(
        WeightsError, match=r"x\.pth' is (refused, since it holds more than tensors, such as code|damaged)"
    ):
        read(tmp_path / "x.pth", "'mine'")
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.pth", b"no weights at all", "is refused|is damaged"),
        ("x.pth", b"hello", "is damaged, or no file of weights at all"),
        ("x.pth", b"", "is damaged"),
        ("x.safetensors", b"no weights at all", "is damaged"),
    ],
)
def test_a_damaged_file_is_named(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        read(tmp_path / name, "'mine'")


def test_a_file_without_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="holds no tensors by name"):
        read(tmp_path / "x.pth", "'mine'")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="weights 'mine' of test_efficientnet: there is no file"):
        local_file(start(str(tmp_path / "x.pth")))


def test_a_file_elsewhere_is_fetched_once(tmp_path: Path) -> None:
    with fsspec.open("memory://weights/x.safetensors", "wb") as remote:
        remote.write(Path(written(tmp_path).path).read_bytes())
    first = local_file(start("memory://weights/x.safetensors"))
    fsspec.filesystem("memory").rm("/weights", recursive=True)
    assert local_file(start("memory://weights/x.safetensors")) == first
    assert first.suffix == ".safetensors"
    assert all(torch.equal(read(first, "x")[name], value) for name, value in tensors().items())


def test_a_place_that_does_not_answer_is_said(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"cannot be fetched from 'memory://nowhere/x\.pth': .*; copy the file to"):
        local_file(start("memory://nowhere/x.pth"))
    assert not list((tmp_path / "cache" / "weights").glob("*.pth"))


def test_a_file_of_a_package_is_found_without_running_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_model_of_mine"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('I was run')")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = Path(written(package).path)
    assert local_file(start(f"package:some_model_of_mine/{path.name}")) == path
    assert "some_model_of_mine" not in sys.modules
    with pytest.raises(WeightsError, match=r"package 'some_model_of_mine' has no file 'y\.pth'"):
        local_file(start("package:some_model_of_mine/y.pth"))
    with pytest.raises(WeightsError, match="that is missing: pip install some-model-of-nobody"):
        local_file(start("package:some_model_of_nobody/y.pth"))


def tagged() -> Start:
    found = start_of(MODEL, TAG, {})
    assert found is not None
    return found


def test_timms_weights_without_a_network_say_what_to_fetch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(files, "try_to_load_from_cache", lambda *_: None)
    with pytest.raises(WeightsError, match=r"fetch them from https://huggingface.co/timm/test_efficientnet\.r160_in1k"):
        tensors_of(tagged())
    save_file(tensors(1000), tmp_path / "cache" / "weights" / f"{MODEL}.{TAG}.safetensors")
    assert set(tensors_of(tagged())) == set(tensors(1000))


def test_timms_weights_are_kept_in_its_own_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From the hub's cache here, where a file lies that an earlier program has fetched."""
    save_file(tensors(1000), tmp_path / "model.safetensors")
    monkeypatch.setattr(files, "try_to_load_from_cache", lambda *_: str(tmp_path / "model.safetensors"))
    expected, first = tensors(1000), tensors_of(tagged())
    monkeypatch.setattr(timm, "create_model", None)
    again = tensors_of(tagged())
    for name, value in expected.items():
        assert torch.equal(first[name], value)
        assert torch.equal(again[name], value)

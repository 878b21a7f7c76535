"""``python -m search check``: mistakes in a configuration, and in what its run would need."""

import contextlib
import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
import timm
import torch
from safetensors.torch import save_file

from search.__main__ import main
from search.rehearsal.needs import within
from search.setting import device
from spaces.mistake import Mistake
from tests.reliability.configurations import BASE as CONFIG


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def check(runs: Path, *changes: tuple[str, str]) -> int:
    """The exit code of ``check`` for a configuration with some texts replaced by others."""
    text = CONFIG.replace("RUNS", str(runs))
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file = runs.parent / "config.yaml"
    file.write_text(text)
    return main(["check", str(file)])


def test_a_good_configuration(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(runs) == 0
    shown = capsys.readouterr().out
    for words in (
        "data: digits, 10 classes, 1 x 8 x 8 pixels",
        "space: tiny",
        "search: 9 trials of at most 2 epochs, by serial",
        "first trials: EfficientNet-like 8px-w8-d4, AdamW",
        "references beside the family: EfficientNet-like 8px-w4",
        "family: budgets of 6k, 20k, 60k macs",
        f"results: '{runs / 'small' / 'family'}' can be written",
        f"checkpoints: '{runs / 'small' / 'checkpoints'}' can be written",
        "no mistakes found",
    ):
        assert words in shown
    assert not runs.exists()


MISTAKES = [
    (
        "epochs: 2}\nfamily",
        "epochs: 2, begin_with: [/nowhere.json]}\nfamily",
        "search.begin_with: /nowhere.json does not exist",
    ),
    ("epochs: 2}\nfamily", "epochs: 2, references: some}\nfamily", "'search.references' is 'some'"),
    ("{max_macs: 100k}", "{max_macs: 10}", "limits.max_macs is 10, but the smallest macs found in space 'tiny'"),
    ("max_macs: [6k,", "max_macs: [9,", "family.max_macs has 9, but the smallest macs"),
    ("max_macs: [6k, 20k, 60k]", "max_macs: [6k, 200k]", "above limits.max_macs"),
    ("max_macs: [6k, 20k, 60k]", "max_macs: [6k, 6k]", "family.max_macs has a budget twice: 6,000, 6,000"),
    ("trials: 9", "trails: 9", "unknown key 'search.trails'"),
    ("{source: digits}", "{source: folder, path: /nowhere/at/all}", "is not a folder"),
    ("workers: 1", "workers: 2", "run.workers 2 is more than run.executor 'serial' offers; use run.executor: ray_"),
    ("architecture.resolution: [8]", "architecture.resolution: [7]", "'architecture.resolution' can't take [7]"),
    (
        "epochs: 2}\nrun",
        "epochs: 2, objective: simclr}\nrun",
        "objective is 'simclr'; it needs one with a teacher",
    ),
    ("epochs: 2}\nrun", "epochs: 2, teachers: [resnet18]}\nrun", "teacher 'resnet18' has no weights"),
    ("epochs: 2}\nrun", "epochs: 2, teachers: ['local-dir:/nowhere']}\nrun", "'local-dir:/nowhere' cannot be loaded"),
    ("workers: 1", "workers: 1, checkpoints: 'nowhere://bucket'", "'nowhere://bucket/small' cannot be used"),
    ("workers: 1", "workers: 1, checkpoints: /proc", "'/proc/small' cannot be written"),
    ("workers: 1", "workers: 1, storage: nonsense", "run.storage is 'nonsense', which cannot be opened"),
    ("workers: 1", "workers: 1, storage: 'sqlite:////nowhere/x.db'", "there is no folder '/nowhere'"),
    ("{enabled: false}", "{uri: 'sqlite:////nowhere/x.db'}", "needs the folder '/nowhere'"),
    ("{enabled: false}", "{uri: nonsense}", "tracking.uri 'nonsense' is no address"),
    ("{enabled: false}", "{uri: 'sqlite:////etc/passwd'}", "is no SQLite database"),
    ("workers: 1", "workers: 1, storage: 'sqlite:////etc/passwd'", "that file is no SQLite database"),
    ("workers: 1", "workers: 1, gpus: 3000", "'run.gpus' is 3000"),
    ("executor: serial, workers: 1", "executor: ray_tune, cpus: 1000", "is more than this machine's"),
    (
        "executor: serial, workers: 1",
        "executor: ray_tune, memory: 1e17",
        "run.memory is 1e+08G bytes, but this machine",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES)
def test_a_mistake_is_one_sentence(
    old: str, new: str, message: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(runs, (old, new)) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert len(error.splitlines()) == 1
    assert not runs.exists()


@pytest.mark.parametrize("name", ["small", "small/family", "small/targets", "small/checkpoints", "small/final"])
def test_a_file_in_the_way_is_found(name: str, runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / name).parent.mkdir(parents=True)
    (runs / name).touch()
    assert check(runs, ("epochs: 2}\nrun", "epochs: 2, stored_targets: true}\nrun")) == 2
    assert "cannot be written (Not a directory)" in capsys.readouterr().err


def test_a_run_ends_before_its_first_trial(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same as ``check``: nothing is trained when what a later stage needs is missing."""
    check(runs, ("epochs: 2}\nrun", "epochs: 2, teachers: ['local-dir:/nowhere']}\nrun"))
    capsys.readouterr()
    assert main(["run", str(runs.parent / "config.yaml")]) == 2
    assert "'local-dir:/nowhere' cannot be loaded" in capsys.readouterr().err
    assert not runs.exists()


def test_a_teacher_is_loaded(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(timm.create_model("test_resnet", num_classes=10, in_chans=1).state_dict(), path)
    teacher = f"test_resnet@{path}"
    assert check(runs, ("epochs: 2}\nrun", f"epochs: 2, teachers: ['{teacher}']}}\nrun")) == 0
    assert f"teacher: '{teacher}' is loaded and has the data's 10 classes" in capsys.readouterr().out


def test_checkpoints_behind_an_address_leave_nothing(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(runs, ("workers: 1", "workers: 1, checkpoints: 'memory://rehearsal'")) == 0
    assert "checkpoints: 'memory://rehearsal/small' can be written" in capsys.readouterr().out
    assert not [name for name in fsspec.filesystem("memory").find("/rehearsal") if "probe" in name]


@contextlib.contextmanager
def server() -> Iterator[int]:
    """A web server that refuses everything; its port."""
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as web:
        thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield web.server_port
        finally:
            web.shutdown()
            thread.join()


def test_a_tracking_server_is_asked(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with server() as port:
        uri = f"http://127.0.0.1:{port}"
        assert check(runs, ("{enabled: false}", f"{{uri: '{uri}'}}")) == 0
        assert f"tracking: '{uri}' answers" in capsys.readouterr().out
    assert check(runs, ("{enabled: false}", f"{{uri: '{uri}'}}")) == 2
    assert f"tracking.uri '{uri}' does not answer" in capsys.readouterr().err


def test_a_database_that_is_away_is_told_without_its_password(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NARS_PASSWORD", "secret")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"postgresql+psycopg://nars:${{NARS_PASSWORD}}@127.0.0.1:{free.getsockname()[1]}/x"
        assert check(runs, ("workers: 1", f"workers: 1, storage: '{url}'")) == 2
    error = capsys.readouterr().err
    assert "run.storage 'postgresql+psycopg://nars:***@127.0.0.1" in error
    assert "does not answer" in error
    assert "secret" not in error


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("workers: 1", "workers: 1, storage: 'postgresql+psycopg://nars:secret@127.0.0.1/x'", "run.storage"),
        ("workers: 1", "workers: 1, checkpoints: 's3://nars:secret@bucket'", "run.checkpoints"),
        ("{enabled: false}", "{uri: 'https://nars:secret@127.0.0.1'}", "tracking.uri"),
        ("{enabled: false}", "{uri: 'https://127.0.0.1/?token=secret'}", "tracking.uri"),
    ],
)
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_password_is_written_nowhere(
    command: str, old: str, new: str, key: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(runs, (old, new))
    capsys.readouterr()
    assert main([command, str(runs.parent / "config.yaml")]) == 2
    error = capsys.readouterr().err
    assert f"{key} '" in error
    assert "holds a password" in error
    assert "secret" not in error
    assert not runs.exists()


def test_an_environment_variable_that_is_not_set_is_named(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(runs, ("workers: 1", "workers: 1, storage: 'sqlite:///${NARS_NOWHERE}/x.db'")) == 2
    assert "needs the environment variable NARS_NOWHERE, which is not set" in capsys.readouterr().err


def test_quick_measures_nothing(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(runs) == 0
    assert "pixels: 0 blank images" in capsys.readouterr().out
    file = runs.parent / "config.yaml"
    file.write_text(file.read_text().replace("{max_macs: 100k}", "{max_macs: 100k, max_latency_ms: 1}"))
    assert main(["check", "--quick", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "blank images" not in shown
    assert "limits.max_latency_ms: not looked at, since nothing is measured by --quick" in shown
    assert not runs.exists()


def test_what_never_answers_ends_in_time() -> None:
    answered = threading.Event()
    with pytest.raises(Mistake, match=r"the far end did not answer within 0\.01 seconds"):
        within(0.01, "the far end", answered.wait)
    answered.set()


LITE = "tf_efficientnet_lite0"


@pytest.fixture(scope="module", name="state")
def _state() -> dict[str, torch.Tensor]:
    return dict(timm.create_model(LITE).state_dict())


@pytest.fixture(autouse=True, scope="module")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where counts of traced networks and fetched weights are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NARS_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        patch.setenv("HF_HUB_CACHE", str(tmp_path_factory.mktemp("hub")))
        yield


def of_lite(weights: str) -> tuple[tuple[str, str], ...]:
    """The changes that make the configuration one of a pretrained network."""
    space = CONFIG[CONFIG.index("  name: tiny") : CONFIG.index("limits:")]
    fine_tuned = (
        f"  name: finetune_small\n  restrict: {{architecture.name: [{LITE}], architecture.resolution: [64, 80]}}\n"
    )
    return (space, fine_tuned + weights), ("max_macs: 100k", "max_macs: 100M"), ("[6k, 20k, 60k]", "[60M]")


def section(path: Path) -> str:
    return f"weights: {{mine: {{model: {LITE}, path: '{path}', mean: 0.5, std: 0.25}}}}\n"


def test_weights_are_read_and_described(
    runs: Path, state: dict[str, torch.Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    save_file(state, runs.parent / "x.safetensors")
    assert check(runs, *of_lite(section(runs.parent / "x.safetensors"))) == 0
    words = (
        f"weights: 'mine' of {LITE}, 245 tensors without the classifier; images with mean 0.5 and standard deviation"
    )
    assert f"{words} 0.25, bicubic" in capsys.readouterr().out


def test_weights_that_do_not_fit_are_found(
    runs: Path, state: dict[str, torch.Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    save_file({name: value for name, value in state.items() if name != "bn2.bias"}, runs.parent / "x.safetensors")
    assert check(runs, *of_lite(section(runs.parent / "x.safetensors"))) == 2
    assert f"weights 'mine' of {LITE} do not fit: tensor 'bn2.bias' is missing" in capsys.readouterr().err


def test_weights_that_cannot_be_fetched_are_found(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(runs, *of_lite("")) == 2
    shown = capsys.readouterr().err
    assert f"weights 'in1k' of timm's {LITE} are not on this machine and cannot be fetched" in shown
    assert f"fetch them from https://huggingface.co/timm/{LITE}.in1k and name the file in section weights" in shown


def test_a_source_of_a_model_that_the_space_lacks_is_found(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(runs, *of_lite("weights: {mine: {model: resnet18, path: x.pth}}\n")) == 2
    assert "weights.mine.model is 'resnet18', which space 'finetune_small' does not have" in capsys.readouterr().err


def test_weights_are_looked_at_before_a_device_is_measured(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(device, "measure", lambda network, **how: pytest.fail("measured"))
    assert check(runs, *of_lite(""), ("max_macs: 100M", "max_latency_ms: 5")) == 2
    assert "cannot be fetched" in capsys.readouterr().err
    assert not runs.exists()


def test_weights_that_nothing_begins_with_are_found(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(runs, ("limits:", f"{section(Path('x.pth'))}limits:")) == 2
    assert (
        "section weights names 'mine', but no candidate of space 'tiny' begins with weights" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{none: {model: x, path: y}}", "'none' has a meaning of its own"),
        ("{mine: {model: x}}", "'weights.mine.path' is missing"),
        ("{mine: {model: x, path: y, size: 3}}", "unknown key 'weights.mine.size'; allowed here: model, path, format"),
        ("{mine: {model: x, path: y, format: random}}", "'weights.mine.format' is 'random'"),
    ],
)
def test_a_section_of_weights_that_is_wrong_is_said(
    section: str, message: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(runs, ("limits:", f"weights: {section}\nlimits:")) == 2
    assert message in capsys.readouterr().err

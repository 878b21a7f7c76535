import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from search.__main__ import main
from search.family.members import load_family
from search.finals.jobs import with_views_of
from search.setting.config import ConfigError, parse
from search.setting.setting import prepare
from spaces.sampling import uniform
from tests.processes import At, searching

pytestmark = pytest.mark.usefixtures("no_graphs", "no_pictures")

TEXT = """
name: alone
data: {source: digits, validation: 0.3, test: 0.4}
space:
  name: tiny
  restrict: {architecture.resolution: [8], architecture.depth.0: [1], architecture.depth.1: [1]}
family: {max_macs: [20k, 60k], epochs: 2, teachers: TEACHERS}
run: {executor: serial}
"""


def configuration(folder: Path, teachers: str = "0") -> Path:
    file = folder / "config.yaml"
    file.write_text(TEXT.replace("TEACHERS", teachers))
    return file


def candidate_file(folder: Path, seed: int) -> Path:
    space = prepare(parse(configuration(folder).read_text())).space
    file = folder / f"candidate-{seed}.json"
    file.write_text(space.decode(uniform(space, 1, np.random.default_rng(seed)))[0].to_json())
    return file


def train(what: Path, to: Path, *options: str | Path) -> Path:
    assert main(["train", str(what), "--to", str(to), *map(str, options)]) == 0
    return to / "family" / "member-1"


def weights(member: Path) -> dict[str, torch.Tensor]:
    return load_file(member / "model.safetensors")


def same(one: Path, other: Path) -> bool:
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def taught(product: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a member that another one has taught, alone: nothing in it says where the run was."""
    folder = tmp_path_factory.mktemp("run")
    candidate = candidate_file(folder, 0)
    config = configuration(folder, f"['local-dir:{product / 'family' / 'member-2'}'], untaught: false")
    trained = train(candidate, folder / "to", "--config", config)
    member = shutil.copytree(trained, tmp_path_factory.mktemp("alone") / "member-1")
    words = (member / "training.json").read_text()
    assert str(product.parent) not in words
    assert str(folder) not in words
    return member


@pytest.mark.slow
def test_a_member_is_trained_again_from_its_folder_alone(taught: Path, tmp_path: Path) -> None:
    """Exactly, also where the training is killed in the middle and goes on."""
    at = At("trainables.training.checkpoint:Checkpoint.save", after=True)
    with searching(tmp_path, "train", taught, "--to", tmp_path / "again", at=at) as killed:
        assert killed.code == -signal.SIGKILL, killed.error.read_text()
    assert not (tmp_path / "again" / "family" / "family.json").exists()
    again = train(taught, tmp_path / "again")
    assert same(taught, again)
    assert (again / "teacher-1" / "model.safetensors").is_file()
    assert str(tmp_path) not in (again / "training.json").read_text()
    candidate = json.loads((taught / "candidate.json").read_text())
    assert json.loads((again / "candidate.json").read_text()) == candidate


@pytest.mark.nightly
def test_several_seeds_if_asked(taught: Path, tmp_path: Path) -> None:
    """Those that were trained before are not trained again."""
    member = train(taught, tmp_path / "twice", "--seeds", "2")
    (trained,) = load_family(member.parent).members
    assert trained.seeds == trained.spent["final"].trainings == 2
    assert trained.test_accuracy_std is not None
    assert "| 2 |" in (member / "README.md").read_text()
    settings = (tmp_path / "twice" / "config.yaml").read_text()
    before = written(tmp_path / "twice")
    thrice = train(tmp_path / "twice", tmp_path / "thrice", "--seeds", "3").parents[1]
    assert [member.seeds for member in load_family(thrice).members] == [3]
    assert (tmp_path / "twice" / "config.yaml").read_text() == settings
    assert before.items() < written(tmp_path / "twice").items()


def written(run: Path) -> dict[str, int]:
    """When the checkpoints of final trainings were."""
    return {file.name: file.stat().st_mtime_ns for file in (run / "final").glob("*.pt")}


@pytest.mark.slow
def test_the_teacher_in_the_folder_is_used(taught: Path, tmp_path: Path) -> None:
    config = configuration(tmp_path)
    assert not same(taught, train(taught / "candidate.json", tmp_path / "untaught", "--config", config))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["candidate-0.json"], "needs its data and schedule"),
        (["candidate-0.json", "--candidates", "candidate-0.json"], "goes with a run's folder"),
        (["empty"], "cannot be trained again"),
        (["candidate-0.json", "--config", "config.yaml", "--seeds", "0"], "--seeds counts trainings"),
        (["config.yaml", "--config", "config.yaml"], "is not JSON"),
    ],
)
def test_mistakes_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    candidate_file(tmp_path, 0)
    (tmp_path / "empty").mkdir()
    paths = [option if option.startswith("--") or option.isdigit() else str(tmp_path / option) for option in options]
    assert main(["train", *paths, "--to", str(tmp_path / "to")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "to").exists()


def test_a_damaged_member_is_not_trained(taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(taught, copy)
    (copy / "teacher-1" / "config.json").write_text("{}")
    assert main(["train", str(copy), "--to", str(tmp_path / "to")]) == 2
    assert "teacher-1" in capsys.readouterr().err


def test_members_that_share_targets_see_the_leaders_views_and_keep_the_rest(tmp_path: Path) -> None:
    space = prepare(parse(configuration(tmp_path).read_text())).space
    leader, *others = space.decode(uniform(space, 12, np.random.default_rng(0)))
    shared = [with_views_of(leader, other) for other in others]
    space.encode(shared)  # they are candidates of the space
    for before, after in zip(others, shared, strict=True):
        assert after.architecture == before.architecture
        for ingredient, origin in (("batch.", leader), ("augment.", leader), ("optimizer.", before), ("ema.", before)):
            assert {a: v for a, v in after.recipe.items() if a.startswith(ingredient)} == {
                a: v for a, v in origin.recipe.items() if a.startswith(ingredient)
            }


def test_an_objective_without_a_teacher_is_refused(tmp_path: Path) -> None:
    text = configuration(tmp_path).read_text().replace("family: {", "family: {objective: supervised, ")
    with pytest.raises(ConfigError, match=r"family\.objective is .supervised.; it needs one with a teacher: dist, "):
        prepare(parse(text))


@pytest.mark.parametrize(
    ("family", "message"),
    [
        ("objective: unlabelled_distillation", r"reads no labels: set family\.label_weight to 0"),
        ("objective: feature_distillation, stored_targets: true", "stored targets hold no features"),
        ("objective: feature_distillation, temperature: 2", "features have no temperature"),
        ("objective: feature_distillation, label_weight: 0", "only labels train the classifier"),
    ],
)
def test_what_an_objective_cannot_read_is_refused_before_the_search(tmp_path: Path, family: str, message: str) -> None:
    text = configuration(tmp_path, teachers="1").read_text()
    with pytest.raises(ConfigError, match=message):
        prepare(parse(text.replace("family: {", "family: {" + family + ", ")))

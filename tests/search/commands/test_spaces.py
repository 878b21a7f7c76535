import numpy as np
import pytest

from search.__main__ import main
from search.words import amount
from spaces import self_supervised, tiny
from spaces.components import SPACES, names
from spaces.sampling import uniform
from trainables.backbones import timm_model
from trainables.counting.statistics import count


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["spaces", *arguments]) == 0
    return capsys.readouterr().out


def test_a_space_is_shown_with_its_size_costs_and_dimensions(capsys: pytest.CaptureFixture[str]) -> None:
    space = tiny.space()
    text = printed(capsys, "tiny", "--draws", "500", "--seed", "3")
    counts = count(space, uniform(space, 500, np.random.default_rng(3)), classes=10, channels=3)
    percentiles = [amount(value) for value in np.percentile(counts.macs_N, (5, 50, 95))]
    assert "500 uniform candidates with 10 classes and 3 channels" in text
    assert f"macs at 5/50/95 %: {' / '.join(percentiles)}" in text
    assert all(address in text for address in space.addresses)
    assert "recipe.optimizer.name is sgd" in text
    assert "3.48e+10 architectures x 3.53e+09 recipes;" in text


def test_no_name_is_cut_in_a_narrow_terminal_and_pretrainings_are_counted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    space = self_supervised.space()
    text = printed(capsys, "self_supervised", "--draws", "10")
    assert "…" not in text
    assert all(f"  {address} " in text for address in space.addresses)
    assert f"{space.count():.3g} candidates with every pretraining and adaptation" in text


def test_samples_are_the_seeds_candidates(capsys: pytest.CaptureFixture[str]) -> None:
    space = tiny.space()
    text = printed(capsys, "tiny", "--draws", "10", "--sample", "2", "--seed", "5")
    for candidate in space.decode(uniform(space, 2, np.random.default_rng(5))):
        assert candidate.key in text
        assert f"{candidate.recipe['optimizer.name']}" in text


def test_the_list_has_every_space_and_builds_no_network(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(timm_model, "build", lambda **architecture: pytest.fail("built"))
    monkeypatch.setenv("COLUMNS", "80")
    lines = printed(capsys, "--draws", "50").splitlines()
    assert all(any(line.startswith(f"{name} ") for line in lines) for name in names(SPACES))
    assert any(line.split()[:2] == ["tiny", "mobile"] for line in lines)
    assert any("fbnetv3" in line and "3.7e+23" in line for line in lines)
    assert any("tiny" in line and f"{tiny.space().count('architecture'):.2g}" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sample", "2"], "--sample needs the name of a space"),
        (["huge"], f"'huge' is not in spaces/, which has: {', '.join(names(SPACES))}"),
        (["tiny", "--sample", "-1"], "given -1"),
        (["--draws", "0"], "--draws 1 or more, given 0 and 0"),
    ],
)
def test_mistakes_are_one_sentence(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spaces", *arguments]) == 2
    assert message in capsys.readouterr().err

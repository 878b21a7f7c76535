import argparse
import io

import numpy as np
import pytest
from rich.console import Console

from search.commands import spaces as spaces_command
from search.errors import UsageError
from spaces import tiny
from spaces.components import UnknownComponent
from spaces.sampling import uniform
from trainables.counting.statistics import count


def _printed(name: str, **arguments: int) -> str:
    console = Console(file=io.StringIO(), width=160)
    spaces_command.spaces(name, console=console, **arguments)
    return console.file.getvalue()  # type: ignore[attr-defined]


def _short(value: float) -> str:
    return f"{value / 1e6:.3g}M" if value >= 1e6 else f"{value / 1e3:.3g}k"


def test_a_space_is_shown_with_its_size_costs_and_dimensions() -> None:
    space = tiny.space()
    text = _printed("tiny", draws=500, seed=3)
    counts = count(space, uniform(space, 500, np.random.default_rng(3)), classes=10, channels=3)
    percentiles = [_short(value) for value in np.percentile(counts.macs_N, (5, 50, 95))]
    assert f"macs at 5/50/95 %: {' / '.join(percentiles)}" in text
    assert all(address in text for address in space.addresses)
    assert "recipe.optimizer.name is sgd" in text


def test_samples_are_the_seeds_candidates() -> None:
    space = tiny.space()
    text = _printed("tiny", draws=10, sample=2, seed=5)
    for candidate in space.decode(uniform(space, 2, np.random.default_rng(5))):
        assert candidate.key in text
        assert f"{candidate.recipe['optimizer.name']}" in text


def test_the_list_has_every_space(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(spaces_command, "names", lambda kind: ("fbnetv3", "tiny"))  # without those that are traced
    monkeypatch.setenv("COLUMNS", "160")
    parser = argparse.ArgumentParser()
    spaces_command.add_arguments(parser)
    spaces_command.run(parser.parse_args(["--draws", "50"]))
    lines = capsys.readouterr().out.splitlines()
    assert any("fbnetv3" in line and "3.7e+23" in line for line in lines)
    assert any("tiny" in line and f"{tiny.space().count('architecture'):.2g}" in line for line in lines)


def test_mistakes_are_told() -> None:
    with pytest.raises(UsageError, match="--sample needs the name of a space"):
        spaces_command.spaces(None, sample=2)
    with pytest.raises(UnknownComponent, match="tiny"):
        spaces_command.spaces("huge")
    with pytest.raises(UsageError, match="given -1"):
        spaces_command.spaces("tiny", sample=-1)

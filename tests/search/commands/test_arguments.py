"""Arguments that several commands have."""

import argparse

import pytest

from search.__main__ import main
from spaces import components
from spaces.components import COMMANDS


def with_option(option: str) -> list[str]:
    """Commands that have an option."""
    found = []
    for name in components.names(COMMANDS):
        parser = argparse.ArgumentParser()
        components.load(COMMANDS, name).add_arguments(parser)
        if any(option in action.option_strings for action in parser._actions):
            found.append(name)
    return found


@pytest.mark.parametrize("name", with_option("--seed"))
@pytest.mark.parametrize("value", ["-1", "99999999999999999999999", "1.5", "nan", ""])
def test_a_seed_is_a_whole_number_that_every_generator_takes(
    name: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([name, f"--seed={value}"])
    assert "argument --seed: it is a whole number from 0 to 4,294,967,295, given" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--classes", "--channels"])
def test_a_network_has_classes_and_channels(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["spaces", "tiny", option, "0"])
    assert f"argument {option}: it is a whole number from 1 on, given '0'" in capsys.readouterr().err

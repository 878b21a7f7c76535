"""Print what makes bash or zsh complete commands, options and files."""

import argparse

from search.errors import UsageError

EXAMPLE = "completion bash > ~/.local/share/bash-completion/completions/nars"

SHELLS = ("bash", "zsh")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``completion``."""
    parser.add_argument("shell", choices=SHELLS, help="which shell")


def run(arguments: argparse.Namespace) -> None:
    """Print the script.

    Raises:
        UsageError: the program was not called as ``nars``, and shells complete the words after one word.
    """
    import shtab

    from search.__main__ import parser
    from search.words import program

    if program() != "nars":
        raise UsageError(f"shells complete 'nars', not 'python -m search'; give: nars completion {arguments.shell}")
    whole = parser()
    for command in _commands(whole):
        for action in command._actions:
            if getattr(action.type, "__name__", "") == "Path":
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(whole, shell=arguments.shell))


def _commands(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """The parsers of the commands."""
    (commands,) = (one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    return list(commands.choices.values())

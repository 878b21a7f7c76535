"""Types of arguments that several commands have; ``argparse`` says which argument has a wrong value."""

import argparse

LARGEST_SEED = 2**32 - 1
"""That scikit-learn takes."""


def seed(text: str) -> int:
    """A seed.

    Raises:
        ArgumentTypeError: no whole number from 0 to ``LARGEST_SEED``.
    """
    return _whole(text, 0, LARGEST_SEED)


def at_least_one(text: str) -> int:
    """How many, at least one.

    Raises:
        ArgumentTypeError: no whole number from 1 on.
    """
    return _whole(text, 1, None)


def _whole(text: str, least: int, most: int | None) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least or (most is not None and value > most):
        to = "on" if most is None else f"to {most:,}"
        raise argparse.ArgumentTypeError(f"it is a whole number from {least} {to}, given {text[:40]!r}")
    return value

"""What forms of classifiers cost that adaptations put where a network's own linear one is; imports nothing heavy."""

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

from trainables.counting.counts import Tally


def hidden_width(width: Any, ratio: Any) -> Any:
    """Width of a hidden layer, ``ratio`` times the features, rounded down; of numbers or of arrays."""
    return (width * ratio // 1).astype(int) if hasattr(width, "astype") else int(width * ratio)


def residual(tally: Tally, width: Any, *, ratio: Any) -> None:
    """What ``trainables.backbones._classifiers.ResidualClassifier`` adds to a linear classifier.

    Args:
        tally: to which it is added.
        width: number of features; as ``ratio`` a number, or one for each of N networks.
        ratio: of the hidden layer's width to it.
    """
    hidden = hidden_width(width, ratio)
    tally.add(weight=width * hidden, positions=1, outputs=hidden, others=2 * hidden)
    tally.add(weight=hidden * width, positions=1, outputs=width, others=width)


FORMS: Mapping[str, Callable[..., None]] = {"residual": residual}
"""By the name that an adaptation states as its ``FORM``; their keywords are knobs of it."""


def keywords_of(form: str) -> tuple[str, ...]:
    """The knobs that decide a form."""
    return tuple(name for name in signature(FORMS[form]).parameters if name not in ("tally", "width"))

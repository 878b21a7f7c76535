"""Whether the keywords of a source are of the types that its ``load`` has, before anything is read."""

import math
from collections.abc import Mapping
from inspect import Parameter
from types import NoneType
from typing import Any, get_args

from trainables.splits import DataError

UNLABELLED, POOLS = "unlabelled", "pools"
"""Keywords of every source that name further images; none of a pool."""
SEED = "split_seed"
LARGEST_SEED = 2**32 - 1
"""That scikit-learn takes."""
LONGEST = 1000
SHOWN = 60
"""Characters of a text at most, and of a value in a message."""

WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: f"text of 1 to {LONGEST} characters"}


def check_types(parameters: Mapping[str, Parameter], keywords: Mapping[str, Any]) -> None:
    """Compare values with annotations; those of other types, such as ``Any``, the source checks itself.

    Raises:
        DataError: a value is of another type, or no number or text that a system knows.
    """
    for name, value in keywords.items():
        annotation = parameters[name].annotation
        kinds = get_args(annotation) or (annotation,)
        known = [kind for kind in kinds if kind in WORDS]
        if not known or (value is None and NoneType in kinds) or any(_is(value, kind) for kind in known):
            continue
        raise DataError(
            f"data.{name} is {repr(value)[:SHOWN]}; it must be {' or '.join(WORDS[kind] for kind in known)}"
        )
    seed = keywords.get(SEED, 0)
    if not 0 <= seed <= LARGEST_SEED:
        raise DataError(f"data.{SEED} is {seed}; it must be from 0 to {LARGEST_SEED:,}")


def _is(value: Any, kind: type) -> bool:
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    if kind is float:
        return isinstance(value, int | float) and math.isfinite(value)
    if kind is str:
        return isinstance(value, str) and 0 < len(value) <= LONGEST and "\0" not in value
    return isinstance(value, kind)

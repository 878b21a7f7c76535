"""Ingredients of a training recipe, one a file: ``apply(plan, **knobs) -> plan``.

What else a file states is ``Ingredient``, all of it in every file.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from trainables.plan import Plan, Stage


class Ingredient(Protocol):
    """An ingredient's file. Keys of the settings are addresses below the ingredient."""

    PAPER: str
    """Where it comes from."""
    STAGE: Stage
    """When it is applied."""
    OFF: Mapping[str, Any] | None
    """A setting with which it changes nothing; None where there is none."""
    TRIED: Sequence[Mapping[str, Any]]
    """Settings with which tests run and whose effect ``docs/components.md`` has."""
    PER_WORKER: str | None
    """Why two workers do not have the loss of one; None where they have."""
    apply: Callable[..., Plan]
    """``apply(plan, **knobs)``."""

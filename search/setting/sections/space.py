"""The section ``space``: what may be chosen."""

import math
from typing import Annotated, Any

from pydantic import Field, PlainValidator

from search.setting.section import Section, one_of
from spaces import components
from spaces.dimensions import Value

LONGEST_WORD = 200


def values_of_dimension(values: Any) -> list[Value]:
    """Numbers and words."""
    if isinstance(values, list) and values and all(map(_is_value, values)):
        return list(values)
    raise ValueError("it must be a list of values of the space, such as [8, 12], [adamw] or [true]")


def _is_value(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_WORD
    return isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value))


class SpaceSection(Section):
    """Which space, what its dimensions may take beside their own values, and which values of all (by full address)."""

    name: Annotated[str, one_of(components.SPACES)] = "tiny"
    extend: dict[str, Annotated[list[Value], PlainValidator(values_of_dimension)]] = Field(default_factory=dict)
    restrict: dict[str, Annotated[list[Value], PlainValidator(values_of_dimension)]] = Field(default_factory=dict)

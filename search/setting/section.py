"""What the sections of a configuration are made of: the base class, and types of values that several share."""

import difflib
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from search.words import parse_amount
from spaces import components


class Section(BaseModel):
    """A part of the configuration: frozen; unknown keys are errors, and so is ``true`` for a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


MOST_AMOUNT = 1e18
"""Of bytes, macs or milliseconds; more is a slip of the keys."""
LONGEST_NAME = 100
"""Characters of a name that others are compared with."""
LONGEST_PLACE = 1000
"""Characters of a path or an address."""


def usable_place(place: str) -> str:
    """A path or an address that a system can be asked for."""
    if not place.isprintable() or place != place.strip():
        raise ValueError("a path or an address has no control characters, and no blanks around it")
    return place


Place = Annotated[str, Field(min_length=1, max_length=LONGEST_PLACE), AfterValidator(usable_place)]
Amount = Annotated[float, BeforeValidator(parse_amount), Field(gt=0, le=MOST_AMOUNT)]
Share = Annotated[float, Field(gt=0, lt=1)]


def number_or_auto(value: Any) -> Any:
    """A number of at least zero, with suffixes as in ``parse_amount``, or ``'auto'``."""
    number = parse_amount(value)
    if value == "auto":
        return value
    if isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number <= MOST_AMOUNT:
        return float(number)
    raise ValueError("it must be a number, zero or more, or 'auto'")


NumberOrAuto = Annotated[float | Literal["auto"], PlainValidator(number_or_auto)]


def one_of(allowed: components.Kind | Callable[[], Sequence[str]]) -> AfterValidator:
    """For a value that names a component of a kind, or one of the names that a function gives."""

    def check(name: str) -> str:
        names = components.names(allowed) if isinstance(allowed, components.Kind) else allowed()
        if name not in names:
            near = difflib.get_close_matches(name[:LONGEST_NAME], names)  # first, since long lists are cut
            raise ValueError(f"it can be {', '.join([*near, *(one for one in names if one not in near)])}")
        return name

    return AfterValidator(check)

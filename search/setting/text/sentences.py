"""A sentence for each mistake of a configuration: where it is, what was given, what is allowed."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

MOST = 10
"""Mistakes that are told at once."""
LONGEST = 300
"""Characters of a sentence."""
LONGEST_VALUE = 60
LONGEST_ORIGIN = 80

WORDS = {
    "int_type": "it must be a whole number",
    "int_parsing": "it must be a whole number",
    "int_from_float": "it must be a whole number",
    "float_type": "it must be a number",
    "float_parsing": "it must be a number",
    "finite_number": "it must be a number that is not infinite",
    "bool_type": "it must be true or false",
    "string_type": "it must be text; put it in quotes if it looks like something else",
    "string_pattern_mismatch": "it must begin with a letter or a digit, and have nothing but these and '.', '_', '-'",
    "tuple_type": "it must be a number, or a list of one for each channel",
    "list_type": "it must be a list, such as [a, b]",
    "dict_type": "it must be a section of keys",
    "model_type": "it must be a section of keys",
    "greater_than": "it must be more than {gt}",
    "greater_than_equal": "it must be at least {ge}",
    "less_than": "it must be less than {lt}",
    "less_than_equal": "it must be at most {le}",
    "literal_error": "it can be {expected}",
    "string_too_long": "it has more than {max_length} characters",
    "string_too_short": "it must not be empty",
    "too_long": "it has more than {max_length} entries",
}
"""By pydantic's types of errors; others are told in its words."""

Location = tuple[int | str, ...]


def joined(sentences: Sequence[str]) -> str:
    """At most ten sentences of at most 300 characters, a line each."""
    some = [clipped(sentence, LONGEST) for sentence in sentences[:MOST]]
    if len(sentences) > MOST:
        some[-1] = f"and {len(sentences) - MOST + 1:,} more mistakes"
    return "\n".join(some)


def clipped(text: str, most: int) -> str:
    """A text without its end, or whole; on one line."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def shortened(origin: str) -> str:
    """A path without its beginning, or whole."""
    return origin if len(origin) <= LONGEST_ORIGIN else f"…{origin[1 - LONGEST_ORIGIN :]}"


def of_errors(error: ValidationError, model: type[BaseModel], origin: str, root: yaml.Node) -> str:
    """What pydantic finds, a sentence for each place in the text.

    Args:
        error: its errors.
        model: of the whole text.
        origin: name of the text.
        root: its nodes.
    """
    by_place: dict[Location, Any] = {}
    for details in error.errors(include_url=False, include_context=True):
        by_place.setdefault(_place(details, root), details)
    told = list(by_place.items())
    sentences = [_sentence(place, details, model, origin, root) for place, details in told[:MOST]]
    return joined([*sentences, *("" for _ in told[MOST:])])


def _place(details: Mapping[str, Any], root: yaml.Node) -> Location:
    """The keys of an error that the text has, without pydantic's names of alternatives, and with the missing one."""
    location: Location = details["loc"]
    known = len(_nodes(root, location))
    return location[: known + (details["type"] == "missing")]


def _sentence(place: Location, details: Mapping[str, Any], model: type[BaseModel], origin: str, root: yaml.Node) -> str:
    where = f"{shortened(origin)}, line {line_of(root, place)}"
    address = clipped(".".join(map(str, place)), LONGEST_VALUE)
    if details["type"] == "extra_forbidden":
        allowed = list(section_at(model, place[:-1]).model_fields)
        near = difflib.get_close_matches(str(place[-1])[:LONGEST_VALUE], allowed, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ";"
        return f"{where}: unknown key '{address}'{hint} allowed here: {', '.join(allowed)}"
    if details["type"] == "missing":
        return f"{where}: '{address}' is missing"
    words = WORDS.get(details["type"])
    message = details["msg"].removeprefix("Value error, ") if words is None else words.format(**details.get("ctx", {}))
    given = clipped(repr(_small(details["input"])), LONGEST_VALUE)
    if not place:
        return f"{shortened(origin)}: {message[:1].lower()}{message[1:]}"
    return f"{where}: '{address}' is {given}: {message[:1].lower()}{message[1:]}"


def _small(value: Any) -> Any:
    """A value whose text is short."""
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_defaults=True)
    return value[: 4 * LONGEST_VALUE] if isinstance(value, str | list) else value


def section_at(model: type[BaseModel], location: Iterable[int | str]) -> type[BaseModel]:
    """The class of the section at an address."""
    for part in location:
        field = model.model_fields.get(str(part))
        for annotation in () if field is None else (field.annotation, *get_args(field.annotation)):
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                model = annotation
    return model


def line_of(root: yaml.Node, location: Location) -> int:
    """Line of the deepest part of a location that the text has."""
    nodes = _nodes(root, location)
    return (nodes[-1] if nodes else root).start_mark.line + 1


def _nodes(root: yaml.Node, location: Location) -> list[yaml.Node]:
    """The key, or the item of a list, of each part of a location, as far as the text has them."""
    node, passed = root, []
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None:
                break
            passed.append(pair[0])
            node = pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            passed.append(node)
        else:
            break
    return passed

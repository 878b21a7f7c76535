"""YAML of a size that a person writes: encoding, size, depth, aliases, tags and equal keys are checked first.

YAML can say what no configuration needs and what takes a reader hours or all memory (aliases of aliases), and drops the
first of two equal keys without a word. Numbers are read as people write them: ``1e-3`` is one, ``010`` is none.
"""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from search.setting.text.sentences import joined
from spaces.mistake import Mistake

MOST_BYTES = 200_000
MOST_VALUES = 5_000
"""Of values and sections, with those that aliases repeat."""
DEEPEST = 12
LONGEST_NUMBER = 40
"""Characters of a number."""

PREFIX = "tag:yaml.org,2002:"
INTEGER, FLOAT, MERGE = f"{PREFIX}int", f"{PREFIX}float", f"{PREFIX}merge"
DROPPED = (INTEGER, FLOAT, f"{PREFIX}timestamp", f"{PREFIX}value")
TAGS = ("str", "map", "seq")
"""That may be written out."""
WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)$")
REAL = re.compile(
    r"[-+]?(?:(?:\.[0-9]+|[0-9][0-9_]*\.[0-9_]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))$|\.(?:nan|NaN|NAN)$"
)
WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


class _Numbers:
    """Which plain words are numbers; dates are words."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]]

    @classmethod
    def learn(cls) -> None:
        kept = {
            first: [(tag, pattern) for tag, pattern in pairs if tag not in DROPPED]
            for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }
        for tag, pattern, firsts in ((INTEGER, WHOLE, "-+0123456789"), (FLOAT, REAL, "-+0123456789.")):
            for first in firsts:
                kept.setdefault(first, []).append((tag, pattern))
        cls.yaml_implicit_resolvers = kept


class _Loader(_Numbers, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """By libyaml where PyYAML has it, which takes a tenth of the time."""


class _Dumper(_Numbers, yaml.SafeDumper):
    pass


_Loader.learn()
_Dumper.learn()


def dump(content: Any) -> str:
    """YAML that ``mapping_of`` reads back."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, with or without a byte order mark.

    Raises:
        Mistake: it is no file, cannot be read, is too large, or is in another encoding.
    """
    try:
        if path.exists() and not path.is_file():
            raise Mistake(f"the configuration '{path}' is no file; give the path of a YAML file")
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # of paths with NUL
        reason = getattr(error, "strerror", None) or error
        raise Mistake(f"cannot read the configuration '{path}': {reason}") from error
    if len(content) > MOST_BYTES:
        raise Mistake(f"the configuration '{path}' has more than {MOST_BYTES // 1000} kB; is it another kind of file?")
    if content.startswith(WIDE):
        raise Mistake(f"the configuration '{path}' is not text in UTF-8, but in UTF-16 or UTF-32; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Mistake(
            f"the configuration '{path}' is not text in UTF-8: line {line} has the byte 0x{content[error.start]:02x}; "
            "save it as UTF-8"
        ) from error


def mapping_of(text: str, origin: str) -> tuple[yaml.MappingNode, dict[str, Any]]:
    """The sections of a text: their nodes, which know their lines, and their values.

    Raises:
        Mistake: it is not YAML, no mapping, or more than a configuration needs.
    """
    if len(text) > MOST_BYTES:
        raise Mistake(f"{origin} has more than {MOST_BYTES // 1000} kB; is it another kind of file?")
    try:
        _check_events(text, origin)
        loader = _Loader(text)
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            raise Mistake(f"{origin} must be a mapping of sections, such as 'name: digits'")
        _check_size(root, origin)
        twice = list(dict.fromkeys(_wrong_keys(root, origin)))
        if twice:
            raise Mistake(joined(twice))
        return root, loader.construct_document(root)
    except yaml.YAMLError as error:
        raise Mistake(joined([_of_yaml(error, origin)])) from error


def _of_yaml(error: yaml.YAMLError, origin: str) -> str:
    mark = getattr(error, "problem_mark", None)
    where = origin if mark is None else f"{origin}, line {mark.line + 1}"
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or error
    return f"{where} is not YAML: {' '.join(str(reason).split())}"


def _check_events(text: str, origin: str) -> None:
    """Depth, tags and documents, as the text is read from left to right."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        where = origin if event.start_mark is None else f"{origin}, line {event.start_mark.line + 1}"
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if documents > 1:
            raise Mistake(f"{where}: a second document begins ('---'); a configuration is one")
        if depth > DEEPEST:
            raise Mistake(f"{where}: more than {DEEPEST} sections or lists in each other")
        tag = getattr(event, "tag", None)
        if tag is not None and tag.removeprefix(PREFIX) not in TAGS:
            raise Mistake(joined([f"{where}: the tag '{tag}' has no meaning here; write a plain value"]))


def _check_size(root: yaml.Node, origin: str) -> None:
    """Values with all that aliases repeat; an alias of what it lies in is endless."""
    count = 0
    waiting: list[tuple[yaml.Node, int]] = [(root, 0)]
    while waiting:
        node, depth = waiting.pop()
        count += 1
        where = f"{origin}, line {node.start_mark.line + 1}"
        if depth > DEEPEST or count > MOST_VALUES:
            raise Mistake(
                f"{where}: more than {MOST_VALUES:,} values or {DEEPEST} levels, with those that aliases (*name) repeat"
            )
        if isinstance(node, yaml.ScalarNode) and node.tag in (INTEGER, FLOAT) and len(node.value) > LONGEST_NUMBER:
            raise Mistake(f"{where}: a number of {len(node.value):,} characters")
        waiting += [(child, depth + 1) for child in _children(node)]


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _wrong_keys(node: yaml.Node, origin: str) -> Iterator[str]:
    """A sentence for each key that is no word, or stands twice in a section."""
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                yield f"{origin}, line {line}: a list or a section cannot be a key"
            elif key.tag != MERGE and key.value in lines:
                yield f"{origin}, line {line}: key '{key.value}' stands in line {lines[key.value]} already; keep one"
            elif key.tag != MERGE:
                lines[key.value] = line
    for child in _children(node):
        yield from _wrong_keys(child, origin)

"""Malformed configurations: each value of each key by what it must not be, and the text as a whole."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import yaml
from pydantic import BaseModel

from search.setting.config import Config
from tests.reliability.judging import Case

BASE = """\
name: small
seed: 0
runs: RUNS
data: {source: digits}
space:
  name: tiny
  restrict: {architecture.resolution: [8], architecture.depth.0: [1], architecture.depth.1: [1]}
limits: {max_macs: 100k}
search: {trials: 9, initial: 6, batch: 3, epochs: 2}
family: {max_macs: [6k, 20k, 60k], epochs: 2}
run: {executor: serial, workers: 1}
tracking: {enabled: false}
"""

WRONG: dict[type, tuple[str, ...]] = {
    int: ("-1", "1.5", "true", "many", "[1]", "{a: 1}", ".inf", "9" * 30, "'7'", "010", "1:30", "2001-01-01"),
    float: ("-1", ".inf", ".nan", "true", "much", "[1]", "1e400", "''"),
    bool: ("3", "'true'", "maybe", "[true]", "0.5"),
    str: ("3", "true", "[a]", "''", "'a\\0b'".replace("'", '"'), "2.5"),
    list: ("3", "{a: 1}", "'x'", "[[1]]", "[{a: 1}]", "true"),
    dict: ("3", "[1]", "'x'", "true"),
}
"""By type, what must be refused for a key of it."""

ACCEPTED = {
    ("run", "gpus"): ("many",),
    ("family", "teachers"): ("3",),
    ("family", "max_macs"): ("3",),
}
"""What is right after all, by section and key."""


def cases(seed: int = 0) -> Iterator[Case]:
    """All of them, some 500; the drawn ones depend on the seed."""
    yield from _by_value()
    yield from _by_key()
    yield from _by_text()
    yield from _by_meaning()
    yield from _drawn(seed)


def _by_value() -> Iterator[Case]:
    for section, field in Config.model_fields.items():
        kinds = [one for one in (field.annotation, *get_args(field.annotation)) if _is_section(one)]
        if not kinds or section == "weights":
            continue
        yield from (_with(section, None, value) for value in WRONG[dict])
        for key, inner in kinds[-1].model_fields.items():
            for value in WRONG[_type_of(inner.annotation)]:
                if value not in ACCEPTED.get((section, key), ()):
                    yield _with(section, key, value)
    for value in WRONG[str]:
        yield _with("name", None, value)
    for value in WRONG[int]:
        yield _with("seed", None, value)


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _type_of(annotation: Any) -> type:
    """The type that a key is checked as: the first of an alternative."""
    for one in (annotation, *get_args(annotation)):
        origin = getattr(one, "__origin__", one)
        if origin in WRONG:
            return origin
        for inner in get_args(one):
            if inner in WRONG:
                return inner
    return str


def _with(section: str, key: str | None, value: str) -> Case:
    """The configuration with one value in place of another; keys that look at this value are right."""
    content = yaml.safe_load(BASE)
    place = f"{section}: {value}" if key is None else f"{section}.{key}: {value}"
    mark = "@@@"
    if key is None:
        content[section] = mark
    else:
        content.setdefault(section, {})[key] = mark
    text = yaml.safe_dump(content, sort_keys=False).replace(f"'{mark}'", value).replace(mark, value)
    return Case(name=place, content=text.encode())


def _by_key() -> Iterator[Case]:
    for section, field in Config.model_fields.items():
        kinds = [one for one in (field.annotation, *get_args(field.annotation)) if _is_section(one)]
        yield Case(name=f"key {section} twice", content=f"{BASE}{section}: {{}}\n{section}: {{}}\n".encode())
        yield Case(name=f"key {section}x", content=f"{BASE}{section}x: 1\n".encode())
        for key in kinds[-1].model_fields if kinds and section not in ("weights", "data") else ():
            yield _with(section, f"{key[:-1]}", "1")
    for unknown in (20_000, 900):
        yield Case(
            name=f"{unknown} unknown keys", content=(BASE + "".join(f"k{i}: 1\n" for i in range(unknown))).encode()
        )


def _by_text() -> Iterator[Case]:
    texts = {
        "empty": "",
        "blank": "  \n",
        "comment": "# nothing",
        "list": "- a",
        "word": "name",
        "number": "3",
        "null": "~",
        "two documents": f"{BASE}---\n{BASE}",
        "tab": BASE.replace("  name", "\tname"),
        "depth": "x: " + "[" * 3000,
        "maps": "x: " + "{a: " * 500,
        "loop": "name: &a [*a]",
        "anchor": "name: *nowhere",
        "merge": f"{BASE}<<: 3\n",
        "object": BASE.replace("seed: 0", "seed: !!python/object/apply:os.system [touch /tmp/owned]"),
        "binary": BASE.replace("small", "!!binary aGk="),
        "tag": BASE.replace("small", "!x a"),
        "digits": BASE.replace("seed: 0", f"seed: {'9' * 5000}"),
        "long": BASE.replace("small", "a" * 5000),
        "quote": BASE.replace("small", "'small"),
        "brace": BASE.replace("[6k, 20k, 60k]", "[6k, 20k"),
        "control": BASE.replace("small", "sm\x07all"),
        "nul": BASE.replace("small", "sm\0all"),
        "key": f"{BASE}? [a]\n: 1\n",
        "laughs": BASE
        + "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
        "large": BASE + "# x\n" * 60_000,
        "megabytes": BASE + f"x: {'y' * 6_000_000}\n",
        "surrogate": BASE.replace("small", '"\\ud800"'),
        "percent": "%YAML 9.9\n---\nname: a",
        "directive": "%TAG ! x\n---\nname: !y a",
    }
    for name, text in texts.items():
        yield Case(name=f"text: {name}", content=text.encode("utf-8", "surrogatepass"))
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        yield Case(name=encoding, content=BASE.encode(encoding))
    for encoding in ("latin-1", "cp1252", "cp1251", "shift-jis", "gb2312"):
        word = {"cp1251": "привет", "shift-jis": "日本", "gb2312": "中文"}.get(encoding, "Größe")
        yield Case(name=encoding, content=f"{BASE}# {word}\n".encode(encoding), expected="either")
    for name, content in {
        "mark": f"\ufeff{BASE}",
        "ends": BASE.replace("\n", "\r\n"),
        "old ends": BASE.replace("\n", "\r"),
    }.items():
        yield Case(name=f"fine: {name}", content=content.encode(), expected="fine")
    yield Case(name="random bytes", content=np.random.default_rng(0).bytes(2000))


MEANINGS = Path(__file__).with_name("meanings.txt")
"""Sections that are well-formed and cannot be used, a line each."""


def _by_meaning() -> Iterator[Case]:
    for line in MEANINGS.read_text(encoding="utf-8").splitlines():
        section, _, value = line.partition(": ")
        yield _with(section, None, value)


def _drawn(seed: int, cut: int = 40, flipped: int = 60) -> Iterator[Case]:
    """Files that end early or have a byte changed, of which some are right by chance."""
    rng = np.random.default_rng(seed)
    content = BASE.encode()
    for _ in range(cut):
        end = int(rng.integers(1, len(content)))
        yield Case(name=f"cut at {end}", content=content[:end], expected="either")
    for _ in range(flipped):
        at, byte = int(rng.integers(len(content))), int(rng.integers(256))
        changed = content[:at] + bytes([byte]) + content[at + 1 :]
        yield Case(name=f"byte {at} is {byte}", content=changed, expected="either")

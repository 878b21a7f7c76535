"""Files with which exported members work where this project is not installed: ``nars_timm.py`` and ``predict.py``.

The first holds the sources that build networks, under a name of their own, so that they meet neither this project nor
the file of another version.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from spaces import components

ENTRY = "trainables.teachers.timm_architecture"
"""What registers the architecture with timm; with the backbones it is all that a member needs."""
SCRIPT = "trainables.final.predict"
DECODING = "trainables.decoding"
"""All that the script imports of ours."""
OWN = ("spaces", "trainables")
ROOT = Path(__file__).parents[2]

HEAD = '''"""timm's architecture ``nars``, with the sources that build the networks of exported members in it.

    import sys; sys.path.insert(0, "FOLDER")
    import nars_timm, timm
    model = timm.create_model("local-dir:FOLDER", pretrained=True)

It needs timm (with torch), NumPy and Pillow. Importing it registers the architecture and does nothing else.
"""

import importlib
import importlib.abc
import importlib.util
import sys

SOURCES = {
'''
TAIL = '''}


class _Sources(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports the modules of ``SOURCES``."""

    def find_spec(self, fullname, path=None, target=None):
        return importlib.util.spec_from_loader(fullname, self) if fullname in SOURCES else None

    def get_source(self, fullname):
        return SOURCES[fullname]

    def is_package(self, fullname):
        return any(name.startswith(fullname + ".") for name in SOURCES)


sys.meta_path.append(_Sources())
importlib.import_module("PACKAGE.ENTRY")
'''


def predict_file() -> str:
    """The text of ``predict.py``: the script, with the source that decodes files where it imports it."""
    script, decoding = (_file(name).read_text(encoding="utf-8") for name in (SCRIPT, DECODING))
    text, places = re.subn(rf"^from {DECODING} import \([^)]*\)\n", lambda _: decoding, script, flags=re.MULTILINE)
    assert places == 1
    return text


def timm_file() -> str:
    """The text of ``nars_timm.py``; the same for all members of a version."""
    modules = sorted({*_needed(ENTRY), *_backbones()})
    sources = {name: _file(name).read_text(encoding="utf-8") for name in modules}
    digest = hashlib.sha256("".join(sources.values()).encode()).hexdigest()[:8]
    package = f"nars_{digest}"
    parts = [f"    {package!r}: '',\n"]
    for name, source in sources.items():
        parts.append(f"    '{package}.{name}': {_literal(_moved(source, package))},\n")
    return HEAD + "".join(parts) + TAIL.replace("PACKAGE", package).replace("ENTRY", ENTRY)


def _backbones() -> Iterator[str]:
    for name in components.names(components.BACKBONES):
        yield from _needed(f"{components.BACKBONES.package}.{name}")


def _needed(module: str) -> set[str]:
    """A module, the packages that it lies in, and all of ours that these import, anywhere in them."""
    needed: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in needed or not _file(name).is_file():
            continue
        needed.add(name)
        waiting += [name.rpartition(".")[0]] if "." in name else []
        for node in ast.walk(ast.parse(_file(name).read_text(encoding="utf-8"))):
            match node:
                case ast.ImportFrom(module=str(origin), level=0) if origin.partition(".")[0] in OWN:
                    waiting += [origin, *(f"{origin}.{alias.name}" for alias in node.names)]
                case ast.Import(names=aliases):
                    waiting += [alias.name for alias in aliases if alias.name.partition(".")[0] in OWN]
    return needed


def _file(module: str) -> Path:
    path = ROOT / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _moved(source: str, package: str) -> str:
    """A source whose imports of ours are below a package."""
    return re.sub(rf"^(\s*(?:from|import) )(?=(?:{'|'.join(OWN)})\b)", rf"\1{package}.", source, flags=re.MULTILINE)


def _literal(source: str) -> str:
    """As text that can still be read, where no quotes forbid it."""
    return repr(source) if "'''" in source or source.endswith("'") else f"r'''{source}'''"

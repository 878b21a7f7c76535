from pathlib import Path
from typing import Any

import pytest

from tests.emoji import FONT

GROUPS = {"Animals": 0x1F400, "Food": 0x1F345, "Faces": 0x1F600}
"""First of twenty code points in a row."""


def write(root: Path) -> dict[str, Any]:
    if not FONT.is_file():
        pytest.skip("Debian's fonts-noto-color-emoji is not installed")
    font, listed = root / "fonts/truetype/noto" / FONT.name, root / "unicode/emoji/emoji-test.txt"
    annotations = root / "unicode/cldr/common/annotations"
    for folder in (font.parent, listed.parent, annotations):
        folder.mkdir(parents=True)
    font.symlink_to(FONT)
    lines, names = [], []
    for group, first in GROUPS.items():
        lines += [f"# group: {group}", f"# subgroup: {group.lower()}"]
        for number, point in enumerate(range(first, first + 20)):
            lines.append(f"{point:04X}    ; fully-qualified     # {chr(point)} E1.0 {group} {number}")
            names.append((chr(point), f"{group.lower()} {number}"))
    listed.write_text("\n".join(lines), encoding="utf-8")
    for language, article in (("en", "a"), ("de", "ein")):
        both = "".join(
            f'<annotation cp="{character}">x | {name}</annotation>'
            f'<annotation cp="{character}" type="tts">{article} {name}</annotation>'
            for character, name in names
        )
        (annotations / f"{language}.xml").write_text(f"<ldml><annotations>{both}</annotations></ldml>", "utf-8")
    return {"path": str(root), "resolution": 16, "cache": str(root / "cache")}

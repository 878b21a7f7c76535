"""Pictures with transparency that Debian packages bring along: emoji, by the groups that Unicode puts them in."""

import re
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
LIST = Path("/usr/share/unicode/emoji/emoji-test.txt")
needs_emoji = pytest.mark.skipif(
    not (FONT.is_file() and LIST.is_file()), reason="Debian's fonts-noto-color-emoji and unicode-data are not installed"
)


def characters(group: str) -> list[str]:
    """Emoji of one code point."""
    text = LIST.read_text(encoding="utf-8")
    section = re.search(rf"^# group: {re.escape(group)}\n(.*?)(?=^# group: |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section is not None
    points = re.findall(r"^([0-9A-F]+) +; fully-qualified", section[1], re.MULTILINE)
    return [chr(int(point, 16)) for point in points]


def write_emoji(folder: Path, groups: tuple[str, ...], count: int) -> Path:
    """A folder a group, of so many PNGs of 136 x 128 pixels, RGBA."""
    font = ImageFont.truetype(str(FONT), 109)
    for group in groups:
        (folder / group).mkdir(parents=True)
        for character in characters(group)[:count]:
            image = Image.new("RGBA", (136, 128), (0, 0, 0, 0))
            ImageDraw.Draw(image).text((0, 0), character, font=font, embedded_color=True)
            image.save(folder / group / f"{ord(character):x}.png")
    return folder

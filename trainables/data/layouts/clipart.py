"""Open Clip Art: drawings with title, author and licence, from Debian's openclipart-png and openclipart-svg.

Pictures are the PNG files; what is said of them stands in the SVG files. A drawing of people, and one that states no
licence, is flagged, so that it never appears.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

from trainables.data._caption_files import OWN
from trainables.data.layouts import Row, pictures_below

PAPER = "none: openclipart.org"
READS = "png/CATEGORY/*.png and svg/CATEGORY/*.svg of the same names"
RULES = ("licensed", "attributed")

PEOPLE, UNLICENSED = "people", "no licence"
CC = ("{http://web.resource.org/cc/}", "{http://creativecommons.org/ns#}")
DC = "{http://purl.org/dc/elements/1.1/}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


def rows(root: Path) -> Iterator[Row]:
    """Every PNG below ``png``; its class is the first folder, its level the whole folder."""
    for file in pictures_below(root / "png"):
        place = file.relative_to(root / "png")
        said = _said((root / "svg" / place).with_suffix(".svg"))
        people = [PEOPLE] if PEOPLE in place.parts[:-1] else []
        title, licence = said.get("title", ""), said.get("licence", "")
        yield Row(
            path=file.relative_to(root).as_posix(),
            label=place.parts[0],
            level="/".join(place.parts[:-1]),
            captions={OWN: [title]} if title else {},
            licence=licence,
            attribution=said.get("creator", ""),
            flags=(*people, *([] if licence else [UNLICENSED])),
        )


def _said(file: Path) -> Mapping[str, str]:
    """Title, creator and licence of a drawing; what a damaged or missing file does not say is left out."""
    if not file.is_file():
        return {}
    said: dict[str, str] = {}
    try:
        for _, element in ElementTree.iterparse(file):
            if element.tag in (f"{one}Work" for one in CC):
                return {**said, **_of_work(element)}
    except ElementTree.ParseError:
        return {}
    return said


def _of_work(work: ElementTree.Element) -> Mapping[str, str]:
    licences = [one.get(f"{RDF}resource", "") for space in CC for one in work.findall(f"{space}license")]
    texts = {
        "title": work.findtext(f"{DC}title"),
        "creator": "".join(agent.text or "" for agent in work.findall(f"{DC}creator//{DC}title")[:1]),
        "licence": next((_short(one) for one in licences if one), ""),
    }
    return {name: " ".join(text.split()) for name, text in texts.items() if text and text.strip()}


def _short(licence: str) -> str:
    """``publicdomain`` of ``http://web.resource.org/cc/PublicDomain``, ``gpl-2.0`` of ``.../licenses/GPL/2.0/``."""
    own = licence.rstrip("/").partition("/licenses/")[2] or licence.rstrip("/").rpartition("/")[2]
    return own.replace("/", "-").casefold()

"""Pages link to what is there; the site and the image are made of files that exist."""

import re
from pathlib import Path

import pytest
import yaml

from tests.places import ROOT

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name} links to {link}"
        if page.parent.name == "docs":
            assert target.is_relative_to(ROOT / "docs"), f"the site does not have {link}"


def test_the_site_has_every_page() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    listed = [
        page for entry in site["nav"] for page in ([entry] if isinstance(entry, str) else next(iter(entry.values())))
    ]
    assert sorted(listed) == sorted(page.name for page in (ROOT / "docs").glob("*.md"))
    assert site["theme"]["font"] is False, "a reader's browser asks nobody for letters"


def test_the_image_copies_what_the_environment_is_made_of() -> None:
    copied = re.findall(r"^COPY (.*) \./$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    (names,) = copied
    assert all((ROOT / name).is_file() for name in names.split())
    assert {"Makefile", "pyproject.toml", "requirements.lock"} <= set(names.split())

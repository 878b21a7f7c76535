import html
import json
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from search.report.drawing import svg
from search.report.evidence import curves_frame, trials_frame
from search.report.page import write_report
from search.report.section import Section
from spaces import components
from tests.browser import FLAGS
from tests.search.products import records
from tests.search.report.examples import Page, begun_runs, evidence, whole_run
from trainables.splits import Images

MODULES = {name: components.load(components.SECTIONS, name) for name in components.names(components.SECTIONS)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a report; tests read it only."""
    path = tmp_path_factory.mktemp("report")
    write_report(whole_run(), path / "report.html")
    return path


@pytest.fixture(scope="module")
def text(folder):
    return (folder / "report.html").read_text()


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_the_page_loads_nothing(text, page):
    assert text.startswith("<!doctype html>")
    assert page.of("html")[0]["lang"] == "en"
    assert all("src" not in script for script in page.of("script"))
    links = re.findall(r'(?:href|src)="([^"]*)"', text)
    assert all(link.startswith(("#", "data:")) for link in links)
    ids = Counter(attributes["id"] for _, attributes in page.tags if "id" in attributes)
    assert [name for name, count in ids.items() if count > 1] == []
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)


def test_the_page_has_every_section_in_order(page):
    anchors = [attributes["id"] for attributes in page.of("section")]
    assert anchors == sorted(MODULES, key=lambda name: MODULES[name].ORDER)
    assert len(page.of("h1")) == 1
    assert len(page.of("h2")) == len(anchors)
    assert {"member-1", "member-2"} <= {card["id"] for card in page.of("article")}
    assert {module.TITLE for module in MODULES.values()} <= set(page.texts)


def test_every_picture_is_described(page):
    pictures = page.of("svg")
    assert len(pictures) == len(page.of("figure")) > 0
    assert all(picture["role"] == "img" and len(picture["aria-label"]) > 10 for picture in pictures)
    assert all(attributes.get("scope") == "col" for attributes in page.of("th"))


def test_a_narrow_figure_has_its_share_of_the_page(text):
    widths_rem = {
        anchor: float(
            re.search(rf'<section id="{anchor}".*?<figure class="\w+" style="max-width: ([\d.]+)rem"', text, re.DOTALL)[
                1
            ]
        )
        for anchor in ("front", "predictions")
    }
    assert widths_rem == {"front": 68.0, "predictions": pytest.approx(0.56 * 68)}


def test_the_page_shows_names_and_numbers(page):
    for shown in ("member-2", "4,100", "0.95", "toy <run> & co", "1 x the loss became NaN in epoch 1"):
        assert any(shown in text for text in page.texts), shown
    assert any(text.startswith("60 (") for text in page.texts)
    assert page.texts.count("<dog>") > 1, "in a table and in pictures"
    assert "1m15s" in page.texts


def test_the_picture_at_the_top_is_a_file_for_slides(folder):
    assert (folder / "front.png").read_bytes().startswith(b"\x89PNG")
    drawing = (folder / "front.svg").read_text()
    assert "<svg" in drawing
    assert "<text" not in drawing, "it looks the same whatever fonts there are"


def test_the_head_says_what_was_asked_and_what_came_out(page):
    assert "Cats & <dogs>." in page.texts
    assert any(text.startswith("2 networks for 2 budgets: from 1.1k macs") for text in page.texts)


def test_a_page_of_a_thousand_trials_is_below_five_megabytes(tmp_path):
    trials = records(1000)
    networks = whole_run().networks
    run = evidence(trials=trials_frame(trials), curves=curves_frame(trials), networks=networks)
    write_report(run, tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 5e6


def test_names_in_any_script_harm_nothing(tmp_path):
    names = ("$\\frac{1", "猫</script><script>alert(1)</script>")
    write_report(evidence(8, classes=names, settings={"$a_b": names[1]}), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "<script>alert" not in text
    assert any(names[0] in shown for shown in Page(text).texts)


def test_one_class_that_fills_the_test_images_is_a_notice(tmp_path):
    images = Images(image_NCHW=np.zeros((9, 1, 12, 12), dtype=np.uint8), label_N=np.ones(9, dtype=np.int64))
    write_report(evidence(8, test=images), tmp_path / "report.html")
    texts = Page((tmp_path / "report.html").read_text()).texts
    assert any("Always naming <dog> would be right on 100% of the test images" in text for text in texts)
    assert any("No test image of cat." in text for text in texts)


def test_equal_evidence_gives_equal_pages(text, tmp_path):
    write_report(evidence(), tmp_path / "report.html")
    pages = [re.sub(r"Written [^.]*\.", "", one) for one in (text, (tmp_path / "report.html").read_text())]
    assert pages[0] == pages[1]


def test_a_run_that_has_just_begun_has_a_report(tmp_path):
    for begun in begun_runs():
        write_report(begun, tmp_path / "report.html")
        assert any("at least 20" in text for text in Page((tmp_path / "report.html").read_text()).texts)


def test_the_head_has_notices_and_the_parts_that_were_searched(page, tmp_path):
    trials = trials_frame(records(3)).assign(**{"pretraining.objective": "none", "adaptation.method": "full"})
    begun = replace(next(begun_runs()), trials=trials, notices=("predicted, for <a device>",))
    write_report(begun, tmp_path / "report.html")
    noticed = Page((tmp_path / "report.html").read_text())
    assert "predicted, for <a device>." in noticed.texts
    assert [len([p for p in one.of("p") if p.get("role") == "note"]) for one in (page, noticed)] == [0, 1]
    assert any("Joint search of architecture and recipe." in text for text in page.texts)
    searched = "Joint search of architecture, recipe, pretraining and adaptation."
    assert any(searched in text for text in noticed.texts)


def test_a_figure_needs_a_description():
    with pytest.raises(ValueError, match="needs a description"):
        Section(figure=Figure())
    assert 'aria-label="a &lt; &quot;b&quot;"' in svg(Figure(), "x", 'a < "b"')


MEASURE = """<script>
const box = (e) => { const r = e.getBoundingClientRect(); return [r.width, r.height]; };
const paths = (e) => e.querySelectorAll("path").length;
const pictures = [...document.querySelectorAll("figure > svg")].map((e) => [...box(e), paths(e)]);
const images = [...document.querySelectorAll("svg image")].map(box);
const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
document.title = JSON.stringify({ pictures, images, wide });
</script>"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """Runs Chromium on a page; what it printed, after a check that the page raised no message of a script."""
    if shutil.which("chromium") is None:
        pytest.skip("chromium is not on PATH")
    profile = tmp_path_factory.mktemp("profile")

    def run(page, *options):
        command = ["chromium", *FLAGS, f"--user-data-dir={profile}", "--enable-logging=stderr", *options, page.as_uri()]
        seen = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
        assert "CONSOLE" not in seen.stderr
        return seen.stdout

    return run


@pytest.mark.slow
def test_a_browser_draws_the_family(chromium, folder, tmp_path):
    shot = tmp_path / "shot.png"
    chromium(folder / "report.html", "--window-size=1100,3000", f"--screenshot={shot}")
    pixels = np.asarray(Image.open(shot).convert("RGB"))
    assert pixels.shape[:2] == (3000, 1100)
    colours = {tuple(colour) for colour in pixels.reshape(-1, 3)[::7].tolist()}
    assert (0xE0, 0x7B, 0x00) in colours, "no family star was drawn"


@pytest.mark.slow
@pytest.mark.parametrize("width", [1100, 500])
def test_every_picture_has_its_place_on_the_page(chromium, text, page, tmp_path, width):
    """Measured by a script that only the test's copy of the page has."""
    measured = tmp_path / "measured.html"
    measured.write_text(text.replace("</body>", f"{MEASURE}</body>"))
    dom = chromium(measured, f"--window-size={width},3000", "--dump-dom")
    sizes = json.loads(html.unescape(re.search("<title>(.*?)</title>", dom, re.DOTALL)[1]))
    assert len(sizes["pictures"]) == len(page.of("figure"))
    assert all(across > 300 and high > 50 and paths for across, high, paths in sizes["pictures"])
    assert sizes["images"], "Grad-CAM has images"
    assert all(across > 5 and high > 5 for across, high in sizes["images"])
    assert sizes["wide"] <= 0, "the page is wider than the window"

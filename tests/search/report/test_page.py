import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from search.report.drawing import svg
from search.report.evidence import curves_frame, trials_frame
from search.report.page import write_report
from search.report.section import Section
from spaces import components
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
    figure = r'<section id="{}".*?<figure class="\w+" style="max-width: ([\d.]+)rem; --least: ([\d.]+)rem"'
    matches = {anchor: re.search(figure.format(anchor), text, re.DOTALL) for anchor in ("front", "predictions")}
    widths_rem = {anchor: float(match[1]) for anchor, match in matches.items()}
    assert {anchor: float(match[2]) for anchor, match in matches.items()} == {"front": 32.0, "predictions": 17.92}
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


@pytest.mark.nightly
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
    write_report(evidence(trials=whole_run().trials), tmp_path / "report.html")
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
    assert any("Joint search of architecture, recipe and pretraining." in text for text in page.texts)
    searched = "Joint search of architecture, recipe, pretraining and adaptation."
    assert any(searched in text for text in noticed.texts)


def test_a_figure_needs_a_description():
    with pytest.raises(ValueError, match="needs a description"):
        Section(figure=Figure())
    assert 'aria-label="a &lt; &quot;b&quot;"' in svg(Figure(), "x", 'a < "b"')

"""The page in Chromium: what a script sees after the views are there, and what a person sees at usual widths."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search.report.page import write_report
from tests.browser import FLAGS
from tests.search.report.examples import whole_run

WIDTHS = (390, 1280, 1920)
WEBGL = "--enable-unsafe-swiftshader"
WAIT = "--virtual-time-budget=30000"


def script(name):
    return f"<script>\n{(Path(__file__).parent / name).read_text()}</script>"


FRAME = """<!doctype html><body style="margin:0">
<iframe src="{page}" style="border:0;width:{width}px;height:{high}px"></iframe>{script}"""
"""A window of Chromium has at least 500 pixels, a frame as few as a phone."""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """Runs Chromium on a page; what it printed, after a check that no script of the page complained."""
    if shutil.which("chromium") is None:
        pytest.skip("chromium is not on PATH")
    profile = tmp_path_factory.mktemp("profile")

    def run(page, *options):
        command = ["chromium", *FLAGS, f"--user-data-dir={profile}", "--enable-logging=stderr", *options, page.as_uri()]
        seen = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
        assert not [line for line in seen.stderr.splitlines() if "CONSOLE" in line and "GL" not in line]
        return seen.stdout

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A report, and one with a script that only the test's copy has."""
    path = tmp_path_factory.mktemp("report")
    write_report(whole_run(), path / "report.html")
    text = (path / "report.html").read_text()
    (path / "acted.html").write_text(text.replace("</body>", f"{script('act.js')}{script('see.js')}</body>"))
    (path / "seen.html").write_text(text.replace("</body>", f"{script('see.js')}</body>"))
    return path


def titled(dom):
    return json.loads(html.unescape(re.search("<title>(.*?)</title>", dom, re.DOTALL)[1]))


@pytest.mark.slow
def test_views_answer_to_choices_filters_and_clicks(chromium, folder):
    seen = titled(chromium(folder / "acted.html", WAIT, WEBGL, "--window-size=1280,2000", "--dump-dom"))
    assert {"trial", "front of the trials", "reference, 95 %", "family, 95 %"} <= set(seen["every"])
    assert set(seen["tested"]) == {"reference, 95 %", "family, 95 %"}, "no trial saw the test images"
    assert seen["axis"] == "parameters"
    trials = whole_run().trials.set_index("number")
    assert seen["filtered"]
    assert all(trials["macs"][number] < 2000 for number in seen["filtered"])
    assert all(trials["state"][number] == "complete" for number in seen["filtered"])
    assert seen["detail"].startswith(f"Trial {seen['filtered'][0]}")
    assert seen["curves"][-1] == f"trial {seen['filtered'][0]}"
    assert seen["hash"] == "#member-2"


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--disable-3d-apis",), id="without WebGL", marks=pytest.mark.nightly),
        pytest.param((WEBGL,), id="with WebGL"),
    ],
)
def test_every_view_and_picture_has_its_place(chromium, folder, options):
    seen = titled(chromium(folder / "seen.html", WAIT, "--window-size=1280,3000", "--dump-dom", *options))
    parallel = {"parallel"} if WEBGL in options else set()
    assert set(seen["views"]) == {"front", "curves", "trials"} | parallel
    assert all(across > 300 and high > 50 and paths for across, high, paths in [*seen["plots"], *seen["pictures"]])
    assert seen["wide"] <= 0, "the page is wider than the window"
    assert seen["cut"] == []
    assert seen["rows"] == 60


@pytest.mark.slow
def test_without_scripts_there_are_pictures(chromium, folder, tmp_path):
    still = tmp_path / "still.html"
    still.write_text(re.sub("<script.*?</script>", "", (folder / "report.html").read_text(), flags=re.DOTALL))
    shot = tmp_path / "shot.png"
    chromium(still, "--window-size=1280,3500", f"--screenshot={shot}")
    pixels = np.asarray(Image.open(shot).convert("RGB"))
    colours = {tuple(colour) for colour in pixels.reshape(-1, 3)[::7].tolist()}
    assert (0xE0, 0x7B, 0x00) in colours, "no family star was drawn"


@pytest.mark.nightly
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut_at_usual_widths(chromium, folder, tmp_path, width, dark):
    """In a frame of that width: scripts are asked, and the picture is looked at."""
    frame = tmp_path / "frame.html"
    page = (folder / "seen.html").as_uri()
    frame.write_text(FRAME.format(page=page, width=width, high=6000, script=script("frame.js")))
    theme = ("--blink-settings=preferredColorScheme=0",) if dark else ()
    options = (
        WAIT,
        "--allow-file-access-from-files",
        WEBGL,
        f"--window-size={max(600, width)},6000",
        *theme,
    )
    seen = titled(chromium(frame, *options, "--dump-dom"))
    assert seen["wide"] <= 0
    assert seen["cut"] == []
    assert set(seen["views"]) == {"front", "curves", "parallel", "trials"}
    shot = tmp_path / "shot.png"
    chromium(frame, *options, f"--screenshot={shot}")
    pixels = np.asarray(Image.open(shot).convert("L"))[:, :width]
    background = np.median(pixels)
    assert background < 64 if dark else background > 224
    assert (np.abs(pixels.astype(int) - background) > 100).mean() > 0.01, "there is something to read"
    assert len(np.unique(pixels[:, -3:])) <= 2, "nothing reaches the right edge"

import html
import json
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from search.family.members import COLUMNS, Family
from search.record.storage import open_storage
from search.record.study import NewTrial, Study
from search.report.evidence import ReportData, regret
from search.report.gather import report_data
from search.report.heatmaps import heatmaps
from search.report.importance import (
    addresses,
    decompose,
    encode,
    importance,
    interaction,
    joint_effect,
    training_addresses,
)
from search.report.page import curves_frame, trials_frame, write_report
from search.setting.config import parse
from search.setting.device import Device
from search.setting.setting import prepare
from spaces.sampling import uniform
from tests.browser import FLAGS
from tests.search.products import member, network, records
from trainables.splits import Images
from trainables.training.trial import Report

IMAGES = Images(
    image_NCHW=np.random.default_rng(0).integers(0, 256, (9, 1, 12, 12), dtype=np.uint8),
    label_N=np.arange(9) % 2,
)
VOID = {"meta", "link", "br", "img", "input", "hr", "path", "use", "rect", "stop"}


class Page(HTMLParser):
    """Tags that are open, ids, attributes and texts of a page; fails on a tag that closes what is not open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def data(count: int = 60, **changes) -> ReportData:
    found = records(count)
    family = Family(
        members=(member("member-1", macs=1100, test_accuracy=0.8), member("member-2", macs=4100, search_accuracy=0.95))
    )
    given = {
        "name": "toy <run> & co",
        "trials": trials_frame(found),
        "curves": curves_frame(found),
        "rounds": pd.DataFrame({"round": [1, 2], "trained": [8, 16], "tau": [0.3, 0.5]}),
        "family": family.table(),
        "stages": pd.DataFrame({"name": ["stage 1", "export"], "seconds": [70.0, 5.0]}),
        "confusion": {"member-1": np.array([[9, 1], [2, 8]])},
        "heatmaps": {"member-1": heatmaps(network(classes=2), IMAGES), "member-2": []},
        "classes": ("cat", "dog"),
        "settings": {"data": "toy", "seed": 0},
    }
    return ReportData(**{**given, **changes})


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    write_report(data(), folder / "report.html")
    return folder, Page((folder / "report.html").read_text())


def test_the_page_is_well_formed_and_alone(page):
    folder, parsed = page
    text = (folder / "report.html").read_text()
    assert text.startswith("<!doctype html>")
    assert parsed.of("html")[0]["lang"] == "en"
    assert parsed.of("script") == []
    links = re.findall(r'(?:href|src)="([^"]*)"', text)
    assert all(link.startswith(("#", "data:")) for link in links), "the page loads something"
    ids = Counter(attributes["id"] for _, attributes in parsed.tags if "id" in attributes)
    assert [name for name, count in ids.items() if count > 1] == []
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)


def test_every_part_has_a_heading_and_every_picture_a_description(page):
    parsed = page[1]
    titles = [text for text in parsed.texts if text.strip()]
    for title in (
        "The family", "Accuracy against cost", "How well the search knew what it did", "Predicted against measured",
        "What mattered", "Architecture and recipe together", "Which values went together", "Learning curves",
        "Classes", "Where the members look", "Time", "Trials",
    ):  # fmt: skip
        assert title in titles
    assert len(parsed.of("h1")) == 1
    assert len(parsed.of("h2")) == len(parsed.of("section")) == 12
    pictures = parsed.of("svg")
    assert len(pictures) == 10
    assert all(picture["role"] == "img" and len(picture["aria-label"]) > 10 for picture in pictures)
    assert all(attributes.get("scope") == "col" for attributes in parsed.of("th"))


def test_where_members_look_is_shown_beside_the_truth(page):
    _, parsed = page
    assert any("Grad-CAM of some test images" in one.get("aria-label", "") for one in parsed.of("svg"))
    found = heatmaps(network(classes=2), IMAGES, count=4)
    assert [one.true for one in found] == [IMAGES.label_N[row] for row in (0, 3, 5, 8)]
    assert all(one.map_HW.shape == (12, 12) and one.map_HW.min() >= 0 and one.map_HW.max() <= 1 for one in found)


def test_the_tables_show_the_given_numbers(page):
    parsed = page[1]
    for shown in ("member-2", "4,100", "0.95", "toy <run> & co", "1 x the loss became NaN in epoch 1"):
        assert any(shown in text for text in parsed.texts), shown
    assert "60 (" in next(text for text in parsed.texts if text.startswith("60 ("))


def texts_of(tmp_path, **changes):
    write_report(data(**changes), tmp_path / "report.html")
    return " ".join(Page((tmp_path / "report.html").read_text()).texts)


def test_a_notice_stands_at_the_head(page, tmp_path):
    write_report(data(notices=("latency_ms is predicted, for <a device>",)), tmp_path / "report.html")
    parsed = Page((tmp_path / "report.html").read_text())
    assert "latency_ms is predicted, for <a device>." in parsed.texts
    notes = [attributes for attributes in parsed.of("p") if attributes.get("role") == "note"]
    assert len(notes) == 1
    assert [attributes for attributes in page[1].of("p") if attributes.get("role") == "note"] == []


def test_what_the_trials_took_is_shown(page, tmp_path):
    assert "forward-backward passes" not in " ".join(page[1].texts)
    trials = trials_frame(records(60)).assign(images=1000, passes=2000)
    words = texts_of(tmp_path, trials=trials)
    assert "They drew 60,000 images and made 120,000 forward-backward passes" in words


def test_the_cost_of_trials_follows_from_their_epochs(tmp_path):
    setting = prepare(parse(f"name: toy\nruns: {tmp_path}\nsearch: {{epochs: 9}}"))
    study = Study(name="toy", storage=open_storage(tmp_path, None), space=setting.space, create=True)
    codes = uniform(setting.space, 1, np.random.default_rng(0))
    trial = NewTrial(
        purpose="search", round=0, candidate=setting.space.decode(codes)[0], statistics=setting.statistics(codes)[0],
        epochs=9, stop=9, seed=0, predicted=None,
    )  # fmt: skip
    study.start(study.add(trial).number)
    reports = tuple(Report(epoch=epoch, accuracy=0.5, loss=1.0, seconds=float(epoch)) for epoch in (1, 2, 3))
    study.finish(0, reports, None)
    trials = report_data(setting, study, Family(members=())).trials
    assert trials["images"].tolist() == trials["passes"].tolist() == [3 * len(setting.splits.train)]


def test_a_run_limited_by_latency_says_that_it_is_predicted(tmp_path):
    setting = prepare(parse(f"name: toy\nruns: {tmp_path}"))
    study = Study(name="toy", storage=open_storage(tmp_path, None), space=setting.space, create=True)
    assert report_data(setting, study, Family(members=())).notices == ()
    phone = Device(name="a phone", model=None, measured=64, relative_error=0.0512)
    (notice,) = report_data(replace(setting, device=phone), study, Family(members=())).notices
    assert notice == phone.describe()
    for said in ("predicted", "a phone", "64", "5.1%"):
        assert said in notice


def test_the_words_name_what_was_searched(page, tmp_path):
    plain = " ".join(page[1].texts)
    assert "Joint search of architecture and recipe." in plain
    assert "Architecture and recipe together" in plain
    trials = trials_frame(records(60))
    trials["pretraining.objective"] = ["none", "simclr"] * 30
    trials["adaptation.method"] = "full"  # never varied: part of the search's space, but of no interaction
    words = texts_of(tmp_path, trials=trials)
    assert "Joint search of architecture, recipe, pretraining and adaptation." in words
    assert "Architecture and recipe and pretraining together" in words
    assert "When the recipe and pretraining is changed" in words


def test_the_front_is_a_picture(page):
    assert (page[0] / "front.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_data_give_the_same_page(page, tmp_path):
    write_report(data(), tmp_path / "report.html")
    without_time = [
        re.sub(r"Written [^.]*\.", "", (folder / "report.html").read_text()) for folder in (page[0], tmp_path)
    ]
    assert without_time[0] == without_time[1]


def test_a_run_that_has_just_begun_has_a_report_too(tmp_path):
    empty = {
        "curves": curves_frame([]),
        "rounds": pd.DataFrame({"round": [], "trained": [], "tau": []}),
        "family": pd.DataFrame(columns=list(COLUMNS)),
        "stages": pd.DataFrame({"name": [], "seconds": []}),
        "confusion": {},
    }
    for trials in (trials_frame([]), trials_frame(records(1)), trials_frame(records(3)[:2])):
        write_report(data(trials=trials, **empty), tmp_path / "report.html")
        parsed = Page((tmp_path / "report.html").read_text())
        assert any("at least 20" in text for text in parsed.texts)


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match=r"'rounds' lacks .*'tau'"):
        data(rounds=pd.DataFrame({"round": [1], "trained": [1]}))


def test_frames_hold_every_trial_and_epoch():
    found = records(30)
    trials, curves = trials_frame(found), curves_frame(found)
    assert trials["number"].tolist() == [record.number for record in found]
    assert trials["score"].isna().sum() == 1
    assert len(curves) == sum(len(record.curve) for record in found)
    sgd = trials[trials["recipe.optimizer.name"] == "sgd"]
    assert sgd["recipe.optimizer.lr.sgd"].notna().all()
    assert sgd["recipe.optimizer.lr.adamw"].isna().all()


def test_regret_by_hand():
    trials = pd.DataFrame({"number": [0, 1, 2, 3], "macs": [20, 10, 10, 20], "score": [0.5, 0.2, 0.6, 0.9]})
    found = regret(trials, budgets=[10, 20])
    # Within 20: 0.4, 0.4, 0.3, 0. Within 10: nothing yet (the lowest, 0.2, stands in), 0.4, 0, 0.
    assert found["trials"].tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(found["regret"], [0.4, 0.4, 0.15, 0.0])
    assert regret(trials, budgets=[1]).empty


# what mattered ----------------------------------------------------------------------------------------------------


def test_importance_finds_what_made_the_score():
    found = importance(trials_frame(records(120)))
    assert found is not None
    assert found.table["address"][0] == "architecture.depth.0"
    resolution = found.table.set_index("address")["mean"]["architecture.resolution"]
    assert abs(resolution) < 0.1 * found.table["mean"][0]
    assert found.r2 > 0.7


def test_pretraining_has_importance_too():
    trials = trials_frame(records(120))
    objective = np.random.default_rng(0).choice(["none", "simclr"], size=len(trials))
    trials["pretraining.objective"] = objective
    trials["score"] += np.where(objective == "simclr", 0.5, 0.0)
    found = importance(trials)
    assert found is not None
    assert found.table["address"][0] == "pretraining.objective"
    assert "pretraining.objective" in training_addresses(trials)
    assert not any(name.startswith("architecture.") for name in training_addresses(trials))


def test_noise_has_no_importance():
    trials = trials_frame(records(120))
    trials["score"] = np.random.default_rng(0).normal(size=len(trials))
    found = importance(trials)
    assert found is not None
    assert found.r2 < 0.1


def test_too_few_trials_have_no_importance():
    trials = trials_frame(records(15))
    assert importance(trials) is None
    assert interaction(trials) is None


def test_variance_shares_of_tables_whose_answer_is_known():
    rng = np.random.default_rng(0)
    row, column = rng.normal(size=(30, 1)), rng.normal(size=(1, 30))
    added = decompose(row + column, rng)
    assert added.both == pytest.approx(0, abs=1e-12)
    assert added.flips == 0
    row, column = row - row.mean(), column - column.mean()
    multiplied = decompose(row * column, rng)
    assert multiplied.both == pytest.approx(1)
    # A pair of architectures turns around exactly where the two recipes' factors differ in sign.
    positive = float((column > 0).mean())
    assert multiplied.flips == pytest.approx(2 * positive * (1 - positive) * 30 / 29, abs=0.02)


def test_encoding_keeps_inactive_apart_and_groups_one_hot_columns():
    trials = trials_frame(records(40))
    names = addresses(trials)
    assert "recipe.optimizer.lr.sgd" in names
    x, groups = encode(trials, names)
    assert len(groups["recipe.optimizer.name"]) == 2
    rates = x[:, groups["recipe.optimizer.lr.sgd"][0]]
    inactive = trials["recipe.optimizer.lr.sgd"].isna().to_numpy()
    assert rates[inactive].max() < rates[~inactive].min()


def test_the_joint_effect_is_the_mean_by_both():
    trials = trials_frame(records(60))
    names = ("architecture.depth.0", "recipe.optimizer.name")
    table = joint_effect(trials, *names)
    chosen = trials[(trials[names[0]] == 2) & (trials[names[1]] == "sgd")]
    assert table.loc[2, "sgd"] == pytest.approx(chosen["score"].mean())


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
def test_a_real_browser_shows_it(chromium, tmp_path):
    write_report(data(200), tmp_path / "report.html")
    shot = tmp_path / "shot.png"
    chromium(tmp_path / "report.html", "--window-size=1100,3000", f"--screenshot={shot}")
    pixels = np.asarray(Image.open(shot).convert("RGB"))
    assert pixels.shape[:2] == (3000, 1100)
    colours = {tuple(colour) for colour in pixels.reshape(-1, 3)[::7].tolist()}
    assert (0xE0, 0x7B, 0x00) in colours, "no family star was drawn"


@pytest.mark.slow
@pytest.mark.parametrize("width", [1100, 500])
def test_every_picture_has_its_place_on_the_page(chromium, tmp_path, width):
    """Measured by a script that only the test's copy of the page has."""
    write_report(data(200), tmp_path / "report.html")
    page = tmp_path / "measured.html"
    page.write_text((tmp_path / "report.html").read_text().replace("</body>", f"{MEASURE}</body>"))
    dom = chromium(page, f"--window-size={width},3000", "--dump-dom")
    found = json.loads(html.unescape(re.search("<title>(.*?)</title>", dom, re.DOTALL)[1]))
    assert len(found["pictures"]) == 10
    assert all(across > 300 and high > 50 and paths for across, high, paths in found["pictures"])
    assert found["images"], "Grad-CAM has images"
    assert all(across > 5 and high > 5 for across, high in found["images"])
    assert found["wide"] <= 0, "the page is wider than the window"


@pytest.mark.slow
def test_a_script_error_would_be_seen(chromium, tmp_path):
    page = tmp_path / "broken.html"
    page.write_text("<script>missing();</script>")
    with pytest.raises(AssertionError):
        chromium(page, "--dump-dom")

"""A made-up run and a reader of pages, for the tests of the report."""

from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd

from search.family.members import COLUMNS, BudgetRow, Family
from search.family.references import references_table
from search.report.evidence import Evidence, curves_frame, trials_frame
from tests.search.products import REFERENCES, beside_references, member, network, records
from trainables.splits import Images

IMAGES = Images(
    image_NCHW=np.random.default_rng(0).integers(0, 256, (9, 1, 12, 12), dtype=np.uint8),
    label_N=np.arange(9) % 2,
)
EVALUATIONS = pd.DataFrame(
    {"network": ["member-1", "member-2"], "evaluation": "continual", "metric": "final", "part": "", "value": [0.5, 0.7],
     "low": [0.4, 0.6], "high": [0.6, 0.8], "count": 100}
)  # fmt: skip
LADDER = pd.DataFrame(
    {"candidate": "a", "epochs": 3, "share": [0.125, 0.25, 0.5, 1.0] * 2, "images": [50, 100, 200, 400] * 2,
     "seed": [0] * 4 + [1] * 4, "validation": 0.5, "test": [0.5, 0.6, 0.7, 0.75, 0.52, 0.61, 0.69, 0.76], "judged": 100}
)  # fmt: skip
ALONG = pd.DataFrame(
    {"candidate": "a", "epochs": 3, "along": "architecture.width.0", "value": [4, 8, 12, 16] * 2,
     "trained": ["a", "b", "c", "d"] * 2, "macs": [100, 200, 400, 800] * 2, "params": [10, 20, 40, 80] * 2,
     "seed": [0] * 4 + [1] * 4, "validation": 0.5, "test": [0.5, 0.6, 0.7, 0.75, 0.52, 0.61, 0.69, 0.76], "judged": 100}
)  # fmt: skip
VOID = {"meta", "link", "br", "img", "input", "hr", "path", "use", "rect", "stop"}


def evidence(count: int = 60, **changes: Any) -> Evidence:
    """A run of that many trials, of which every section has something to show."""
    trials = records(count)
    family = Family(
        members=(
            member("member-1", macs=1100, test_accuracy=0.8, compared=beside_references(0.8, 1100)),
            member("member-2", macs=4100, search_accuracy=0.95),
        )
    )
    values = {
        "name": "toy <run> & co",
        "trials": trials_frame(trials),
        "curves": curves_frame(trials),
        "rounds": pd.DataFrame({"round": [1, 2], "trained": [8, 16], "tau": [0.3, 0.5]}),
        "family": family.table(),
        "references": references_table(REFERENCES),
        "compared": {one.name: one.compared for one in family.members if one.compared is not None},
        "stages": pd.DataFrame({"name": ["stage 1", "export"], "seconds": [70.0, 5.0]}),
        "networks": {"member-1": network(classes=2), "member-2": network(classes=2)},
        "test": IMAGES,
        "classes": ("cat", "<dog>"),
        "asked": "Cats & <dogs>.",
        "budgets": (BudgetRow(max_macs=2000.0, member="member-1"), BudgetRow(max_macs=5000.0, member="member-2")),
        "candidates": {one.name: one.candidate for one in family.members},
        "validation_images": 200,
        "settings": {"data": "toy", "seed": 0},
        "evaluations": EVALUATIONS,
        "ladder": LADDER,
        "along": ALONG,
    }
    return Evidence(**{**values, **changes})


@cache
def whole_run() -> Evidence:
    """The one that tests share, with its importance computed once; pretrained on a mix."""
    trials = evidence().trials
    share_N = [(0.0, 0.25, 0.5)[number % 3] for number in range(len(trials))]
    return evidence(trials=trials.assign(**{"pretraining.mix.fractals": share_N}))


def begun_runs() -> Iterator[Evidence]:
    """Runs without a trial, with one that failed, and with two that ended."""
    for trials in (records(0), records(1), records(3)[:2]):
        yield evidence(
            trials=trials_frame(trials),
            curves=curves_frame([]),
            rounds=pd.DataFrame({"round": [], "trained": [], "tau": []}),
            family=pd.DataFrame(columns=list(COLUMNS)),
            stages=pd.DataFrame({"name": [], "seconds": []}),
            networks={},
            budgets=(),
            candidates={},
            evaluations=EVALUATIONS[:0],
            ladder=LADDER[:0],
            along=ALONG[:0],
        )


class Page(HTMLParser):
    """Tags, attributes and texts of a page.

    Raises:
        AssertionError: a tag closes what is not open, or stays open.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self._open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

"""Which classes each member takes for which."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import colors
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from search.report.drawing import ORANGE, new_figure
from search.report.evidence import Evidence
from search.report.section import Section

ORDER = 90
TITLE = "Confusion of classes"

TEXT = "Share of the images of each true class (row) that a member takes for another one, on the test split."

WRONG = colors.LinearSegmentedColormap.from_list("wrong", [colors.to_rgba(ORANGE, 0.06), colors.to_rgba(ORANGE, 1.0)])
"""From the page's own colour to orange."""

NO_IMAGE = "no image"

MOST_NAMES = 20
"""Of more classes, names would not fit beside the picture."""


def section(evidence: Evidence) -> Section | None:
    """Confusion of each member, and its accuracy by class."""
    if not evidence.answers:
        return None
    answers = evidence.answers
    return Section(
        text=TEXT,
        figure=_draw({member: one.confusion_KK for member, one in answers.items()}, evidence.classes),
        description="Confusion of each member",
        table=_table(evidence),
        table_title="Accuracy by class",
    )


def _table(evidence: Evidence) -> pd.DataFrame:
    """Accuracy of each class, and at the end of all images and of all classes alike."""
    answers = evidence.answers
    images_K = np.bincount(evidence.test.label_N, minlength=len(evidence.classes))
    rows = pd.DataFrame({"class": list(evidence.classes), "test images": images_K})
    for member, one in answers.items():
        rows[member] = [NO_IMAGE if np.isnan(share) else share for share in one.by_class_K]
    ends = {"all images": {member: one.accuracy for member, one in answers.items()}}
    ends["balanced"] = {member: one.balanced for member, one in answers.items()}
    last = [{"class": name, "test images": int(images_K.sum()), **shares} for name, shares in ends.items()]
    return pd.concat([rows.astype(object), pd.DataFrame(last, dtype=object)], ignore_index=True)


def _draw(counts: Mapping[str, NDArray[np.int64]], classes: Sequence[str]) -> Figure:
    """Shares of the true class; the diagonal is left out, so that mistakes are visible."""
    columns = min(3, len(counts))
    rows = math.ceil(len(counts) / columns)
    figure, axes = new_figure(columns, height=3.5 * rows, rows=rows)
    wrong = {member: _wrong_shares(count_KK) for member, count_KK in counts.items()}
    highest = max(0.01, max((float(np.nanmax(share)) for share in wrong.values() if share.size > 1), default=0.01))
    for axis, (member, share_KK) in zip(axes, wrong.items(), strict=False):
        image = axis.imshow(share_KK, cmap=WRONG, vmin=0, vmax=highest)
        axis.set(title=member, xlabel="predicted", ylabel="true")
        if len(classes) <= MOST_NAMES:
            _name_classes(axis, classes)
    for axis in axes[len(counts) :]:
        axis.set_visible(False)
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    return figure


def _wrong_shares(count_KK: NDArray[np.int64]) -> NDArray[np.float64]:
    share_KK = count_KK / np.maximum(count_KK.sum(axis=1, keepdims=True), 1)
    return np.where(np.eye(len(share_KK), dtype=bool), np.nan, share_KK)


def _name_classes(axis: Axes, classes: Sequence[str]) -> None:
    axis.set_xticks(range(len(classes)), classes, rotation=90 if max(map(len, classes)) > 2 else 0, fontsize=8)
    axis.set_yticks(range(len(classes)), classes, fontsize=8)

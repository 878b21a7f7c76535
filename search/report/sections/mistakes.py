"""The images on which a member is wrong and most confident."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from search.report.answers import Answers
from search.report.evidence import Evidence
from search.report.section import Section
from trainables.splits import Images

ORDER = 95
TITLE = "Most confident mistakes"

MOST = 10
COLUMNS = 5
LONGEST_NAME = 16
"""Letters of a class name that fit above a picture."""


def section(evidence: Evidence) -> Section | None:
    """Test images that the most accurate member on search-validation is most sure of, and wrong."""
    family = evidence.family[evidence.family["member"].isin(list(evidence.answers))]
    if family.empty:
        return None
    member = str(family["member"].iloc[int(family["search_accuracy"].argmax())])
    answers = evidence.answers[member]
    rows = answers.mistakes[:MOST]
    if not len(rows):
        return Section(text=f"{member} is right on all {len(evidence.test):,} test images.")
    return Section(
        text=(
            f"Of {len(evidence.test):,} test images {member} gets {len(answers.mistakes):,} wrong; these are the "
            f"{len(rows)} of which it is most sure. Look whether some are labelled wrongly."
        ),
        figure=_draw(evidence.test, rows, answers, evidence.classes),
        description=f"Test images that {member} takes for another class, with its confidence",
    )


def _draw(images: Images, rows: NDArray[np.int64], answers: Answers, classes: Sequence[str]) -> Figure:
    lines = math.ceil(len(rows) / COLUMNS)
    figure = Figure(figsize=(10, 2.3 * lines), layout="constrained")
    axes = np.ravel(figure.subplots(lines, COLUMNS, squeeze=False))
    image_BCHW, _ = images.batch(rows)
    for axis in axes:
        axis.set_axis_off()
    for axis, image_CHW, row in zip(axes, image_BCHW.numpy(), rows, strict=False):
        grey = len(image_CHW) == 1
        picture = image_CHW[0] if grey else image_CHW[:3].transpose(1, 2, 0)
        axis.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        said, true = (_short(classes[label]) for label in (answers.predicted_N[row], answers.true_N[row]))
        axis.set_title(f"{said} ({answers.confidence_N[row]:.0%})\nis {true}", fontsize=9)
    return figure


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"

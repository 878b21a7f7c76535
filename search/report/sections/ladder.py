"""What ``search ladder`` found: accuracy on growing shares of the data or of growing networks, and what more brings."""

from collections.abc import Iterator

import pandas as pd

from search.ladder.along import COSTS
from search.ladder.laws import FEWEST
from search.ladder.words import IMAGES, checked, outlook, rows_of
from search.report.evidence import Evidence
from search.report.section import Section

ORDER = 106
TITLE = "More data, and larger networks"

TIMES = 2.0


def section(evidence: Evidence) -> Section | None:
    """One row a rung of each ladder, with what its laws say."""
    said, tables = [], []
    for name, over, own in _ladders(evidence):
        tables.append(_rungs(own, name, over))
        if own[over].nunique() > FEWEST:
            laws = "; ".join(
                f"{law} predicted {predicted} of the largest rung, {measured} was measured"
                for law, predicted, measured, _ in rows_of(checked(own, over), over)[1:]
            )
            said.append(f"{name}: {laws}. {outlook(own, TIMES, over)}")
    if not tables:
        return None
    text = (
        "Test accuracy after as many steps on growing shares of the training images, or of networks that grow along an "
        "address, by 'python -m search ladder'."
    )
    return Section(text=" ".join([text, *said]), table=pd.concat(tables, ignore_index=True), digits=4)


def _ladders(evidence: Evidence) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Of each ladder its name, the column that rises, and its trainings."""
    names = {one.key: name for name, one in evidence.candidates.items()}
    if not evidence.ladder.empty:
        for (candidate, epochs), own in evidence.ladder.groupby(["candidate", "epochs"], sort=False):
            yield f"{names.get(str(candidate), candidate)}, {epochs} epochs", IMAGES, own
    if not evidence.along.empty:
        for (candidate, epochs, address), own in evidence.along.groupby(["candidate", "epochs", "along"], sort=False):
            rungs = [own[cost].nunique() for cost in COSTS]
            over = COSTS[rungs.index(max(rungs))]
            yield f"{names.get(str(candidate), candidate)} along {address}, {epochs} epochs", over, own


def _rungs(table: pd.DataFrame, name: str, over: str) -> pd.DataFrame:
    means = table.groupby(over)["test"].agg(trainings="count", accuracy="mean", deviation="std").reset_index()
    means = means.rename(columns={over: "rung"})
    means.insert(0, "trained", name)
    means.insert(1, "of", over)
    return means

"""What ``search ladder`` found: accuracy on growing shares of the data, and what more data would bring."""

import pandas as pd

from search.ladder.laws import FEWEST
from search.ladder.words import checked, outlook, rows_of
from search.report.evidence import Evidence
from search.report.section import Section

ORDER = 106
TITLE = "More data"

TIMES = 2.0


def section(evidence: Evidence) -> Section | None:
    """One row a share of each ladder, with what its laws say."""
    if evidence.ladder.empty:
        return None
    said, tables = [], []
    for (candidate, epochs), own in evidence.ladder.groupby(["candidate", "epochs"], sort=False):
        name = next((name for name, one in evidence.candidates.items() if one.key == candidate), str(candidate))
        tables.append(_rungs(own, f"{name}, {epochs} epochs"))
        if own["images"].nunique() > FEWEST:
            laws = "; ".join(
                f"{law} predicted {predicted} of the largest share, {measured} was measured"
                for law, predicted, measured, _ in rows_of(checked(own))[1:]
            )
            said.append(f"{name}, {epochs} epochs: {laws}. {outlook(own, TIMES)}")
    text = "Test accuracy after as many steps on growing shares of the training images, by 'python -m search ladder'."
    return Section(text=" ".join([text, *said]), table=pd.concat(tables, ignore_index=True), digits=4)


def _rungs(table: pd.DataFrame, name: str) -> pd.DataFrame:
    means = table.groupby("images")["test"].agg(trainings="count", accuracy="mean", deviation="std").reset_index()
    means.insert(0, "trained", name)
    return means

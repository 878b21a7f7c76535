"""What the trainings of one ladder say, as tables and a sentence."""

import pandas as pd

from search.ladder.laws import LAWS, HeldOut, fitted, held_out

IMAGES = "images"
"""The column that laws of a ladder of shares are over; one along an address has a cost there, such as ``macs``."""
DOUBT = (
    " No law holds what the largest rung reached in its interval, so that little can be built on this; a longer "
    "training (--epochs) shows whether steps were short."
)


def checked(table: pd.DataFrame, over: str = IMAGES) -> list[HeldOut]:
    """Each law's prediction of the largest rung, beside what was measured.

    Args:
        table: of ``search.ladder.rungs`` or ``search.ladder.along``, of one ladder.
        over: the column that rises.
    """
    count_N, accuracy_N = (table[column].to_numpy(dtype=float) for column in (over, "test"))
    return [held_out(law, count_N, accuracy_N, int(table["judged"].iloc[0])) for law in LAWS]


def rows_of(predictions: list[HeldOut], over: str = IMAGES) -> list[tuple[str, ...]]:
    """A header, and a row a law, as text."""
    header = ("law", f"predicts {predictions[0].count:,} {over}", "measured", "in its interval")
    rows = [(one.law, str(one.predicted), f"{one.measured:.4f}", "yes" if one.holds else "no") for one in predictions]
    return [header, *rows]


def outlook(table: pd.DataFrame, times: float, over: str = IMAGES) -> str:
    """What more data or more of a cost would bring, by the law that came nearer to the largest rung, fitted to all."""
    predictions = checked(table, over)
    best = min(predictions, key=lambda one: abs(one.predicted.accuracy - one.measured))
    count_N, accuracy_N = (table[column].to_numpy(dtype=float) for column in (over, "test"))
    fit = fitted(best.law, count_N, accuracy_N, int(table["judged"].iloc[0]))
    last, trainings = float(count_N.max()), len(table) // len(set(count_N))
    gain, then = fit.gain(last, times), fit.predict(times * last, trainings)
    rungs, more = ("shares", "data") if over == IMAGES else ("rungs", over)
    return (
        f"By the law that came nearer ({best.law}), fitted to all {rungs}, {times:g} times the {more} "
        f"({round(times * last):,} {over}) would bring {100 * gain.accuracy:+.2f} points "
        f"({100 * gain.low:+.2f} to {100 * gain.high:+.2f}) of test accuracy, to {then}."
        + ("" if any(one.holds for one in predictions) else DOUBT)
    )

"""What the trainings of one ladder say, as tables and a sentence."""

import pandas as pd

from search.ladder.laws import LAWS, HeldOut, fitted, held_out

DOUBT = (
    " No law holds what the largest share reached in its interval, so that little can be built on this; a longer "
    "training (--epochs) shows whether data or steps were short."
)


def checked(table: pd.DataFrame) -> list[HeldOut]:
    """Each law's prediction of the largest share, beside what was measured.

    Args:
        table: of ``search.ladder.rungs``, of one ladder.
    """
    count_N, accuracy_N = (table[column].to_numpy(dtype=float) for column in ("images", "test"))
    return [held_out(law, count_N, accuracy_N, int(table["judged"].iloc[0])) for law in LAWS]


def rows_of(predictions: list[HeldOut]) -> list[tuple[str, ...]]:
    """A header, and a row a law, as text."""
    header = ("law", f"predicts {predictions[0].count:,} images", "measured", "in its interval")
    rows = [(one.law, str(one.predicted), f"{one.measured:.4f}", "yes" if one.holds else "no") for one in predictions]
    return [header, *rows]


def outlook(table: pd.DataFrame, times: float) -> str:
    """What more data would bring, by the law that came nearer to the largest share, fitted to all."""
    predictions = checked(table)
    best = min(predictions, key=lambda one: abs(one.predicted.accuracy - one.measured))
    count_N, accuracy_N = (table[column].to_numpy(dtype=float) for column in ("images", "test"))
    fit = fitted(best.law, count_N, accuracy_N, int(table["judged"].iloc[0]))
    last, trainings = float(count_N.max()), len(table) // len(set(count_N))
    gain, then = fit.gain(last, times), fit.predict(times * last, trainings)
    return (
        f"By the law that came nearer ({best.law}), fitted to all shares, {times:g} times the data "
        f"({round(times * last):,} images) would bring {100 * gain.accuracy:+.2f} points "
        f"({100 * gain.low:+.2f} to {100 * gain.high:+.2f}) of test accuracy, to {then}."
        + ("" if any(one.holds for one in predictions) else DOUBT)
    )

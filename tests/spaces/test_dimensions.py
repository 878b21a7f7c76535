import pytest

from spaces.dimensions import Choice, Dimension, Integer, Real, Value, nearest_code

RATES = Real(low=1e-3, high=1.0, levels=4, log=True)
WIDTHS = Integer(low=8, high=24, step=8)
NAMES = Choice(values=("a", "b"))
MIXED = Choice(values=("none", 1, 2), ordered=True)
FLAGS = Choice(values=(1, True), ordered=True)


@pytest.mark.parametrize(
    ("dimension", "value", "inside", "clipped"),
    [
        (RATES, 0.01, 1, 1),
        (RATES, 0.03, 1, 1),  # nearer in the logarithm, not in the value
        (RATES, 0.04, 2, 2),
        (RATES, 5.0, None, 3),
        (RATES, 1e-9, None, 0),
        (WIDTHS, 13, 1, 1),
        (WIDTHS, 7.9, None, 0),
        (WIDTHS, "8", None, None),
        (NAMES, "b", 1, 1),
        (NAMES, "c", None, None),
        (MIXED, 2, 2, 2),
        (MIXED, 1.4, None, None),  # not all of its levels are numbers
        (FLAGS, True, 1, 1),
        (FLAGS, 1, 0, 0),
    ],
)
def test_the_nearest_code(dimension: Dimension, value: Value, inside: int | None, clipped: int | None) -> None:
    assert nearest_code(dimension, value, clip=False) == inside
    assert nearest_code(dimension, value, clip=True) == clipped

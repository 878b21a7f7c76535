"""What a ladder says."""

from search.ladder.words import DOUBT, checked, outlook, rows_of
from search.report.sections import ladder
from tests.search.report.examples import ALONG, LADDER, evidence


def test_every_law_is_held_to_the_largest_share() -> None:
    header, *rows = rows_of(checked(LADDER))
    assert header == ("law", "predicts 400 images", "measured", "in its interval")
    assert [row[0] for row in rows] == ["power", "logarithm", "floored power"]
    assert {row[2] for row in rows} == {"0.7550"}


def test_the_outlook_has_an_interval_and_a_number_of_images() -> None:
    said = outlook(LADDER, 2)
    assert "2 times the data (800 images) would bring +" in said
    assert "points (" in said


def test_the_outlook_along_an_address_is_of_its_cost() -> None:
    assert "fitted to all rungs, 2 times the macs (1,600 macs) would bring +" in outlook(ALONG, 2, "macs")
    assert rows_of(checked(ALONG, "params"), "params")[0][1] == "predicts 80 params"


def test_a_share_that_no_law_predicts_is_a_reason_for_doubt() -> None:
    bent = LADDER.assign(test=LADDER["test"].where(LADDER["share"] < 1, 0.6))  # below the rung before
    assert DOUBT in outlook(bent, 2)
    assert DOUBT not in outlook(LADDER, 2)


def test_the_report_says_the_same() -> None:
    section = ladder.section(evidence())
    assert section is not None
    assert outlook(LADDER, 2) in section.text
    assert outlook(ALONG, 2, "macs") in section.text
    assert section.table["accuracy"].round(3).tolist() == 2 * [0.51, 0.605, 0.695, 0.755]
    assert section.table["rung"].tolist() == [50, 100, 200, 400, 100, 200, 400, 800]


def test_a_ladder_that_is_not_whole_has_no_law() -> None:
    section = ladder.section(evidence(ladder=LADDER.query("share < 1"), along=ALONG[:0]))
    assert section is not None
    assert "would bring" not in section.text

from search.report.evidence import trials_frame
from search.report.sections.interaction import section
from tests.search.products import records
from tests.search.report.examples import evidence


def test_the_text_names_what_was_searched_besides_the_architecture():
    assert "With another recipe, " in section(evidence()).text
    trials = trials_frame(records(60))
    trials["pretraining.objective"] = ["none", "simclr"] * 30
    trials["adaptation.method"] = "full"  # never varied: part of the search's space, but of no interaction
    assert "With another recipe and pretraining, " in section(evidence(trials=trials)).text

from search.report.sections.time import section
from tests.search.report.examples import evidence, whole_run


def test_images_and_passes_are_shown_where_they_are_known():
    assert "forward-backward passes" not in section(whole_run()).text
    known = section(evidence(trials=whole_run().trials.assign(images=1000, passes=2000, seconds=1.5)))
    assert "They drew 60,000 images and made 120,000 forward-backward passes" in known.text
    assert "trained for 1m30s" in known.text

from search.report.drawing import MOST_LINES, thinned
from search.report.sections.curves import section
from tests.search.report.examples import evidence


def test_of_many_trials_an_even_selection_is_drawn():
    run = evidence(count=MOST_LINES + 2)
    assert thinned(run.trials)["number"].tolist() == list(range(0, MOST_LINES + 2, 2))
    shown = section(run)
    assert f"Of {MOST_LINES + 1} trials, an even selection is drawn" in shown.text
    lines = shown.figure.axes[0].collections[0]
    assert len(lines.get_paths()) == (MOST_LINES + 2) // 2

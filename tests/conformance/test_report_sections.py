"""What every section of the report keeps, whatever it shows."""

import pytest

from search.report.section import Section
from spaces import components
from tests.search.report.examples import begun_runs, whole_run

NAMES = components.names(components.SECTIONS)


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_run_has_something_to_show(name):
    section = components.load(components.SECTIONS, name).section(whole_run())
    assert isinstance(section, Section)
    assert section.text or section.figure is not None or section.table is not None


@pytest.mark.parametrize("name", NAMES)
def test_a_run_that_has_just_begun_is_no_error(name):
    for run in begun_runs():
        section = components.load(components.SECTIONS, name).section(run)
        assert section is None or isinstance(section, Section)


def test_places_and_titles_are_distinct():
    modules = [components.load(components.SECTIONS, name) for name in NAMES]
    assert len({module.ORDER for module in modules}) == len({module.TITLE for module in modules}) == len(modules)

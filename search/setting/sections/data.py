"""The section ``data``: which images."""

from typing import Annotated, Any

from pydantic import ConfigDict

from search.setting.section import Section, one_of
from spaces import components

PLACES = ("path", "validation_path", "test_path", "unlabelled", "cache")
"""Keys that say where images lie, and not which they are."""


class DataSection(Section):
    """Where images come from. Further keys are keywords of the source's ``load``."""

    model_config = ConfigDict(frozen=True, extra="allow")
    source: Annotated[str, one_of(components.SOURCES)] = "digits"

    @property
    def keywords(self) -> dict[str, Any]:
        """Of the source's ``load``."""
        return dict(self.model_extra or {})

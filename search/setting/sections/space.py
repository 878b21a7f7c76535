"""The section ``space``: what may be chosen."""

from typing import Annotated

from pydantic import Field

from search.setting.section import Section, one_of
from spaces import components
from spaces.dimensions import Value


class SpaceSection(Section):
    """Which space, and which of its values (by full address)."""

    name: Annotated[str, one_of(components.SPACES)] = "tiny"
    restrict: dict[str, list[Value]] = Field(default_factory=dict)

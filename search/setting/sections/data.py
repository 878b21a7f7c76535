"""The section ``data``: which images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict

from search.setting.section import Section, one_of
from spaces import components

PLACES = ("path", "images", "validation_path", "test_path", "unlabelled", "cache")
"""Keys that say where images lie, and not which they are."""


PATHS = PLACES
"""Keywords of sources that may name something on this machine."""


class DataSection(Section):
    """Where images come from. Further keys are keywords of the source's ``load``."""

    model_config = ConfigDict(frozen=True, extra="allow")
    source: Annotated[str, one_of(components.SOURCES)] = "digits"

    @property
    def keywords(self) -> dict[str, Any]:
        """Of the source's ``load``."""
        return dict(self.model_extra or {})

    @property
    def resolved(self) -> "DataSection":
        """The section with the keywords that it leaves to their defaults."""
        from trainables.data.sources import defaults_of  # here, since not everything that reads a file opens its data

        return DataSection(source=self.source, **{**defaults_of(self.source), **self.keywords})

    @property
    def stored(self) -> "DataSection":
        """The section as it is meant where a run or a member has kept it."""
        from trainables.data.sources import stored_keywords

        return DataSection(source=self.source, **stored_keywords(self.source, self.keywords))

    @property
    def located(self) -> dict[str, Any]:
        """The keywords with relative paths made absolute: trials may run in other folders than the command."""
        return _located(self.keywords)

    @property
    def pools(self) -> tuple[str, ...]:
        """Names of further images that candidates may be pretrained on."""
        from trainables.data._keywords import POOLS

        pools = self.keywords.get(POOLS, {})
        return tuple(pools) if isinstance(pools, dict) else ()


def _located(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """With absolute paths, also those of pools."""
    from trainables.data._keywords import POOLS

    located = {key: absolute(value) if key in PATHS else value for key, value in keywords.items()}
    pools = keywords.get(POOLS)
    if isinstance(pools, dict):
        located[POOLS] = {name: _located(pool) if isinstance(pool, dict) else pool for name, pool in pools.items()}
    return located


def absolute(place: Any) -> Any:
    """The path of something on this machine; addresses, and names of what is not here, stay as they are."""
    if not isinstance(place, str) or not place or "\0" in place or ":" in place:
        return place
    begin = Path(place.partition("{")[0].partition("*")[0])  # shards/train-{0000..0146}.tar
    try:
        here = begin.exists() or (begin.parent != Path() and begin.parent.is_dir())
    except OSError:  # a name that no system takes
        return place
    return str(Path(place).absolute()) if here else place

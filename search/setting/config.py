"""One frozen, validated configuration: YAML in; errors name the line, what was given and what is allowed."""

from pathlib import Path

from pydantic import Field, ValidationError

from search.setting.section import Place, Section
from search.setting.sections.data import DataSection
from search.setting.sections.family import FamilySection
from search.setting.sections.limits import LimitsSection
from search.setting.sections.ray import RaySection
from search.setting.sections.run import RunSection
from search.setting.sections.search import SearchSection
from search.setting.sections.space import SpaceSection
from search.setting.sections.tracking import TrackingSection
from search.setting.sections.weights import WeightsName, WeightsSection
from search.setting.text import document
from search.setting.text.sentences import of_errors, shortened
from spaces.mistake import Mistake
from trainables.pretrained import Source


class ConfigError(Mistake):
    """The configuration cannot be used; the message has one sentence a mistake."""


LONGEST_NAME = 100
"""Characters; the names of folders and of studies are longer by a few."""


class Config(Section):
    """A whole search. ``name`` is the folder below ``runs``; ``seed`` determines every random choice."""

    name: str = Field(max_length=LONGEST_NAME, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    seed: int = Field(default=0, ge=0, lt=2**63)
    runs: Place = "runs"
    data: DataSection = DataSection()
    space: SpaceSection = SpaceSection()
    weights: dict[WeightsName, WeightsSection] = Field(default_factory=dict)
    limits: LimitsSection = LimitsSection()
    search: SearchSection = SearchSection()
    family: FamilySection = FamilySection()
    run: RunSection = RunSection()
    ray: RaySection = RaySection()
    tracking: TrackingSection = TrackingSection()

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.runs).expanduser() / self.name

    @property
    def sources(self) -> dict[str, Source]:
        """The pretrained weights of the section ``weights``, by name."""
        return {name: section.source for name, section in self.weights.items()}

    @property
    def stored(self) -> "Config":
        """This configuration as it is meant where a run or a member has kept it."""
        return self.model_copy(update={"data": self.data.stored})

    def dump(self) -> str:
        """YAML that ``parse`` reads back to an equal configuration."""
        return document.dump(self.model_dump(mode="json"))


def read(path: Path) -> Config:
    """Read a configuration file.

    Raises:
        ConfigError: the file cannot be read, is not YAML of a usual size, or has a key or value that is not allowed.
    """
    try:
        text = document.read_text(path)
    except Mistake as mistake:
        raise ConfigError(str(mistake)) from mistake
    return parse(text, str(path))


def parse(text: str, origin: str = "configuration") -> Config:
    """Parse and validate YAML; the names of components are checked against the files that exist.

    Raises:
        ConfigError: it is not YAML, or has a key or value that is not allowed.
    """
    try:
        root, content = document.mapping_of(text, shortened(origin))
    except Mistake as mistake:
        raise ConfigError(str(mistake)) from mistake
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        raise ConfigError(of_errors(error, Config, origin, root)) from None

"""One frozen, validated configuration: YAML in; errors name the line, what was given and what is allowed."""

from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError

from search.setting.section import Section
from search.setting.sections.data import DataSection
from search.setting.sections.family import FamilySection
from search.setting.sections.limits import LimitsSection
from search.setting.sections.ray import RaySection
from search.setting.sections.run import RunSection
from search.setting.sections.search import SearchSection
from search.setting.sections.space import SpaceSection
from search.setting.sections.tracking import TrackingSection
from search.setting.sections.weights import WeightsName, WeightsSection
from spaces.mistake import Mistake
from trainables.pretrained import Source


class ConfigError(Mistake):
    """The configuration cannot be used; the message has one sentence a mistake."""


class Config(Section):
    """A whole search. ``name`` is the folder below ``runs``; ``seed`` determines every random choice."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    seed: int = Field(default=0, ge=0)
    runs: str = "runs"
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
        return Path(self.runs) / self.name

    @property
    def sources(self) -> dict[str, Source]:
        """The pretrained weights of the section ``weights``, by name."""
        return {name: section.source for name, section in self.weights.items()}

    def dump(self) -> str:
        """YAML that ``parse`` reads back to an equal configuration."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def read(path: Path) -> Config:
    """Read a configuration file.

    Raises:
        ConfigError: the file is missing, is not YAML, or has a key or value that is not allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read the configuration '{path}': {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the configuration '{path}' is not text in UTF-8: {error}") from error
    return parse(text, str(path))


def parse(text: str, origin: str = "configuration") -> Config:
    """Parse and validate YAML; the names of components are checked against the files that exist.

    Raises:
        ConfigError: it is not YAML, or has a key or value that is not allowed.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{origin} is not YAML: {' '.join(str(error).split())}") from error
    if root is None or not isinstance(content, dict):
        raise ConfigError(f"{origin} must be a mapping of sections, such as 'name: digits'")
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        lines = (_sentence(origin, root, details) for details in error.errors())
        raise ConfigError("\n".join(dict.fromkeys(lines))) from None


def _sentence(origin: str, root: yaml.Node, details: Any) -> str:
    location = tuple(part for part in details["loc"] if not (isinstance(part, str) and "[" in part))
    address = ".".join(map(str, location))
    where = _where(origin, root, location)
    if details["type"] == "extra_forbidden":
        section = _section(location[:-1])
        return f"{where}: unknown key '{address}'; allowed here: {', '.join(section.model_fields)}"
    if details["type"] == "missing":
        return f"{where}: '{address}' is missing"
    message = details["msg"].removeprefix("Value error, ")
    return f"{where}: '{address}' is {details['input']!r}: {message[0].lower()}{message[1:]}"


def _section(location: tuple[Any, ...]) -> type[BaseModel]:
    model: type[BaseModel] = Config
    for part in location:
        field = model.model_fields.get(part)
        for annotation in () if field is None else (field.annotation, *get_args(field.annotation)):
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                model = annotation
    return model


def _where(origin: str, root: yaml.Node, location: tuple[Any, ...]) -> str:
    """``file, line N`` of the deepest part of a location that the text has."""
    node, line = root, root.start_mark.line
    for part in location:
        if isinstance(node, yaml.MappingNode):
            values = {key.value: (key, value) for key, value in reversed(node.value)}
            if str(part) not in values:
                break
            key, node = values[str(part)]
            line = key.start_mark.line
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
        else:
            break
    return f"{origin}, line {line + 1}"

"""Whether data and space can serve the evaluations that a configuration names."""

from collections.abc import Iterator, Sequence

from search.setting.config import Config, ConfigError
from spaces import components
from spaces.candidate import NO_PRETRAINING
from spaces.components import EVALUATIONS
from spaces.space import Space
from trainables.batches.fields import CAPTION, VOCABULARY, needs_of
from trainables.splits import Splits


def unserved(names: Sequence[str], splits: Splits) -> Iterator[tuple[str, str]]:
    """Evaluations that data cannot serve, and the clause that says why: a field that one of its parts does not have."""
    for name in names:
        for field in components.constant(EVALUATIONS, name, "NEEDS"):
            if not all(field in images.fields for images in (splits.train, splits.validation, splits.test)):
                yield name, f"it needs the field {field} ({VOCABULARY[field].meaning}), which this data does not have"
                break


def check_evaluations(config: Config, space: Space, splits: Splits) -> None:
    """Data and space can serve the evaluations that a configuration names.

    Raises:
        ConfigError: the data lacks a field of one, or no network of the space has the text tower that one needs.
    """
    read_texts = any(
        CAPTION in needs_of(str(name), {})
        for address in space.pretraining
        if address.split(".")[-1] == "objective"
        for name in space.pretraining[address].values
        if name != NO_PRETRAINING
    )
    for name in config.family.assess:
        if not read_texts and components.constant(EVALUATIONS, name, "TEXTS"):
            raise ConfigError(
                f"family.assess has evaluation '{name}': it needs a text tower, which pretraining.objective clip "
                f"leaves, and space '{space.name}' offers no such objective; leave it out, or choose another space"
            )
    scored = [name.split(".")[1] for name, _ in config.search.weights if "." in name]
    for key, names in (("family.assess", config.family.assess), ("search.score", scored)):
        for name, reason in unserved(names, splits):
            raise ConfigError(f"{key} has evaluation '{name}': {reason}; leave it out, or choose another source")

"""The recorded tables that a new search starts from (``search.prior``)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from search.learning.earlier import Earlier, misfits, of_table, shipped
from search.samplers.by_name import transferring
from search.setting.config import Config, ConfigError
from spaces.mistake import Mistake
from spaces.space import Space

PREDICTOR = "gp"
"""What ``auto`` needs: a search that starts from tables asks their processes, whatever predictor is configured."""


@dataclass(frozen=True, kw_only=True)
class Prior:
    """Tables that a search starts from.

    Attributes:
        tables: what each contributes.
        left_out: a sentence for each table of the space that could not be used.
    """

    tables: tuple[Earlier, ...] = ()
    left_out: tuple[str, ...] = ()

    def describe(self) -> Iterator[str]:
        """Sentences for the console; none where nobody has a table of the space."""
        yield from (table.sentence for table in self.tables)
        yield from self.left_out


def prior_of(config: Config, space: Space, beside: Sequence[Earlier] = ()) -> Prior:
    """What ``search.prior`` asks for.

    Args:
        config: of the search.
        space: as the configuration restricts it.
        beside: earlier runs that the user named, which ``auto`` leaves the place to.

    Raises:
        ConfigError: the file cannot be used, or the sampler cannot use any.
    """
    wanted = config.search.prior
    if wanted == "none" or (wanted == "auto" and beside):
        return Prior()
    if wanted == "auto" and config.search.weights:
        return Prior(left_out=("prior: recorded tables hold accuracies, and search.score is something else",))
    if wanted == "auto":
        return _automatic(config, space)
    if config.search.weights:
        raise ConfigError(
            f"search.prior '{wanted}' holds accuracies, and search.score is something else; set search.prior to none"
        )
    if config.search.sampler not in transferring():
        able = " or ".join(f"'{name}'" for name in transferring())
        raise ConfigError(
            f"search.prior is '{wanted}', which needs the sampler {able}; search.sampler is '{config.search.sampler}'"
        )
    try:
        return Prior(tables=(of_table(Path(wanted), space),))
    except Mistake as mistake:
        raise ConfigError(f"search.prior: {mistake}") from mistake


def _automatic(config: Config, space: Space) -> Prior:
    """The shipped tables that hold the space."""
    search = config.search
    if search.sampler not in transferring() or search.predictor != PREDICTOR:
        return Prior()
    reasons = {path: misfits(path, space) for path in shipped(config.space.name)}
    tables, left_out = [], []
    for path, reason in reasons.items():
        if reason:
            left_out.append(f"prior: the recorded table '{path.stem}' is left out: {reason}")
            continue
        try:
            tables.append(of_table(path, space))
        except Mistake:
            left_out.append(f"prior: the recorded table '{path.stem}' is left out: none of its candidates fits")
    return Prior(tables=tuple(tables), left_out=tuple(left_out))

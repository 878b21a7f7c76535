"""Mistakes of a user: one clear sentence and exit code 2, never a traceback."""

from search.config import ConfigError
from search.executors.work import PlacementError
from search.limits import UnreachableLimit
from search.patience import StorageError
from spaces.components import UnknownComponent
from spaces.sampling import TooFewFeasible
from trainables.checkpoint import CheckpointError
from trainables.splits import DataError


class UsageError(ValueError):
    """A command cannot do what it was asked for; the message says why and what to do."""


USER_ERRORS = (
    UsageError,
    ConfigError,
    UnreachableLimit,
    TooFewFeasible,
    PlacementError,
    StorageError,
    UnknownComponent,
    CheckpointError,
    DataError,
)

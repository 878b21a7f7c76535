"""Mistakes of a user: one clear sentence and exit code 2, never a traceback."""

from search.executors.work import PlacementError
from search.problem.limits import UnreachableLimit
from search.record.patience import StorageError
from search.setting.config import ConfigError
from spaces.components import UnknownComponent
from spaces.sampling import TooFewFeasible
from trainables.splits import DataError
from trainables.training.checkpoint import CheckpointError


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

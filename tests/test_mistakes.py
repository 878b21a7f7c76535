"""Which exceptions are a user's to mend."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

from spaces.mistake import Mistake

PACKAGES = ("spaces", "predictors", "trainables", "search")
NO_MISTAKE = {
    "search.errors.Fault": "what is no user's mistake: it says where the trace of its cause was written",
    "search.family.export.ExportMismatch": "a file that an exporter has written wrongly is a fault of the program",
    "trainables.assess.gradcam.NoConvolution": "who draws or counts catches it and says so",
    "search.rehearsal.knobs._Seen": "ends the call of a component that has taken its knobs, and is caught there",
    "trainables.final.predict.DamagedMember": "a member has the file alone, whose command prints it as a sentence",
    "trainables.decoding.UnreadableImage": "whoever reads a folder counts and names them; a member has the file alone",
    "search.tracking.outbox.Refused": "a signal between the tracker and its outbox, which never leaves them",
}


def exceptions() -> Iterator[type[Exception]]:
    """Every exception class that a module of the four packages defines."""
    for package in PACKAGES:
        folder = importlib.import_module(package).__path__
        for info in pkgutil.walk_packages(folder, prefix=f"{package}."):
            module = importlib.import_module(info.name)
            for value in vars(module).values():
                if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == info.name:
                    yield value


def full_name(exception: type[Exception]) -> str:
    return f"{exception.__module__}.{exception.__qualname__}"


def test_every_exception_is_a_mistake_or_says_why_not() -> None:
    names = {full_name(exception) for exception in exceptions() if not issubclass(exception, Mistake)}
    assert names == set(NO_MISTAKE)


@pytest.mark.parametrize("name", ["UsageError", "ConfigError", "DataError", "TeacherError", "TrialFailed"])
def test_well_known_mistakes_are_seen(name: str) -> None:
    """The walk reaches all packages."""
    assert name in {exception.__name__ for exception in exceptions()}

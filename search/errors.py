"""Mistakes on the command line."""

from spaces.mistake import Mistake


class UsageError(Mistake):
    """A command cannot do what it is asked for; the message says why and what to do."""

"""What an expert would have written by hand, so that a search can say what searching brought."""

from dataclasses import dataclass

from spaces.candidate import Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A pair that nobody searched for.

    A space's file may define ``references()``, which yields them, the strongest hand-written family first.

    Attributes:
        name: what people call it.
        family: networks of one kind under one recipe, which differ in size alone, share it.
        candidate: the pair; its values need not be levels of a space.
    """

    name: str
    family: str
    candidate: Candidate

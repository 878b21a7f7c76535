"""The contract of samplers: one offer in, candidates to train out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from search.problem.problem import Observations, Problem
from spaces.mistake import Mistake
from spaces.space import Codes


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What a search offers its sampler.

    ``initial``, ``batch`` and ``predictor`` describe the search; a sampler that proposes the same whatever they are has
    no use for them. ``None`` leaves each to the sampler, as replays of recorded tables do; a configured search gives
    all three. A sampler that cannot use earlier searches refuses them.

    Attributes:
        problem: space, exact costs, limits and budgets.
        seed: of every random choice.
        initial: candidates that are proposed before the scores of any are known.
        batch: candidates that are proposed together after that.
        predictor: file in ``predictors``.
        begun: how many of the first candidates others have chosen; the sampler sees them as pending or observed ones.
        earlier: observations of finished searches on this space (other data, other limits).

    Raises:
        Mistake: ``initial`` or ``batch`` is below 1.
    """

    problem: Problem
    seed: int
    initial: int | None = None
    batch: int | None = None
    predictor: str | None = None
    begun: int = 0
    earlier: Sequence[Observations] = ()

    def __post_init__(self) -> None:
        for name, count in (("initial", self.initial), ("batch", self.batch)):
            if count is not None and count < 1:
                raise Mistake(f"a sampler's '{name}' is at least 1, given {count}")

    def refuse_earlier(self, sampler: str) -> None:
        """For samplers that cannot use earlier searches.

        Raises:
            Mistake: there are some.
        """
        if self.earlier:
            raise Mistake(
                f"the sampler '{sampler}' cannot use earlier searches, given {len(self.earlier)}: leave them out"
            )


class Proposer(Protocol):
    """What every sampler can do.

    A sampler file defines the class ``Sampler``, constructed as ``Sampler(offer)``, and the constant ``TRANSFERS``:
    whether it can use earlier searches. Its name is the file's.
    """

    def propose(self, observed: Observations, pending_ND: Codes, n: int) -> Codes:
        """``n`` feasible candidates to train next, shape (n, D), new while new ones exist."""


@runtime_checkable
class Recommender(Protocol):
    """A sampler with a posterior."""

    def recommend(self, observed: Observations) -> list[int | None]:
        """Row of the observation to keep for each budget; None where nothing fits."""

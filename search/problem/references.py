"""References of a space, scaled to the budgets of a search: what one would have got without searching."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from search.problem.problem import Problem
from spaces import components
from spaces.candidate import Candidate
from spaces.codes import first_of_each
from spaces.reference import Reference
from spaces.space import Codes
from spaces.translation import addressed, translate


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitting:
    """A reference that a budget allows, at the levels of the space.

    Attributes:
        name: of the reference.
        family: of the reference.
        budget: position of the budget, tightest first.
        candidate: the reference as a member of the space.
        codes_D: its row of codes.
        macs: of its network.
    """

    name: str
    family: str
    budget: int
    candidate: Candidate
    codes_D: Codes
    macs: int


def of_space(name: str) -> tuple[Reference, ...]:
    """What the file of a space names as references; nothing where it names none."""
    named = getattr(components.load(components.SPACES, name), "references", None)
    return () if named is None else tuple(named())


def fitting(problem: Problem, references: Iterable[Reference]) -> tuple[Fitting, ...]:
    """The largest reference of each family for each budget that allows one, budgets ascending, families in order.

    A reference whose network the (restricted) space does not have is left out, and so is one whose recipe has a choice
    that it does not have; numbers of the recipe take the nearest level.
    """
    inside = [(reference, row_D) for reference in references if (row_D := _row(problem, reference)) is not None]
    if not inside:
        return ()
    codes_ND = np.stack([row_D for _, row_D in inside])
    macs_N = np.asarray(problem.costs(codes_ND)["macs"])
    fits_KN = problem.affordable(codes_ND) & problem.feasible(codes_ND)
    families = list(dict.fromkeys(reference.family for reference, _ in inside))
    chosen = []
    for budget, fits_N in enumerate(fits_KN):
        for family in families:
            rows = [row for row in np.flatnonzero(fits_N).tolist() if inside[row][0].family == family]
            if rows:
                row = max(rows, key=lambda row: int(macs_N[row]))
                chosen.append(
                    Fitting(
                        name=inside[row][0].name,
                        family=family,
                        budget=budget,
                        candidate=problem.space.decode(codes_ND[[row]])[0],
                        codes_D=codes_ND[row],
                        macs=int(macs_N[row]),
                    )
                )
    return tuple(chosen)


def _row(problem: Problem, reference: Reference) -> Codes | None:
    values = addressed(problem.space, reference.candidate)
    codes_D = None if values is None else translate(problem.space, values, clip=True)
    if codes_D is None:
        return None
    # By its name people know its network, which must not become another one.
    (candidate,) = problem.space.decode(codes_D[None])
    return codes_D if candidate.architecture == reference.candidate.architecture else None


def for_every_second_budget(references: Sequence[Fitting]) -> list[Fitting]:
    """One reference for every two budgets, largest budgets first, of the first half of the families in turn."""
    families = list(dict.fromkeys(one.family for one in references))
    preferred = families[: -(-len(families) // 2)]
    budgets = sorted({one.budget for one in references}, reverse=True)[::2]
    chosen = []
    for turn, budget in enumerate(budgets):
        of_budget = [one for one in references if one.budget == budget and one.family in preferred]
        if of_budget:
            chosen.append(of_budget[turn % len(of_budget)])
    return different(chosen)


def one_per_budget(references: Sequence[Fitting]) -> list[Fitting]:
    """For each budget the reference of the first family that fits it; none twice."""
    first: dict[int, Fitting] = {}
    for one in references:
        first.setdefault(one.budget, one)
    return different(list(first.values()))


def different(references: Sequence[Fitting]) -> list[Fitting]:
    """The references without those whose pair has come before."""
    if not references:
        return []
    return [references[row] for row in first_of_each(np.stack([one.codes_D for one in references]))]

"""What a search begins with: users' own candidates and references, which are its first trials.

It is kept with the study before the first trial (``Beginning.to_json``), so that a resumed search goes on with the
same, whatever has become of files and spaces meanwhile.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from search.problem.candidates import read_candidates
from search.problem.references import Fitting, different, for_every_second_budget, one_per_budget
from search.setting.config import ConfigError
from search.setting.setting import Setting
from search.words import amount
from spaces.candidate import Candidate
from spaces.mistake import Mistake
from spaces.translation import codes_of


@dataclass(frozen=True, kw_only=True)
class Named:
    """A candidate that nobody searched for.

    Attributes:
        name: of the reference, or of the user's file.
        family: of the reference; empty for a user's own candidate.
        candidate: a member of the space.
    """

    name: str
    family: str
    candidate: Candidate

    @classmethod
    def of(cls, reference: Fitting) -> Self:
        """A reference."""
        return cls(name=reference.name, family=reference.family, candidate=reference.candidate)


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """What a search begins with.

    Attributes:
        first: its first trials.
        beside: references that are trained in full beside the family, cheapest first.
    """

    first: tuple[Named, ...] = ()
    beside: tuple[Named, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON value that ``from_json`` reads."""
        return {"first": _plain(self.first), "beside": _plain(self.beside)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read ``to_json``'s form."""
        return cls(first=_named(value["first"]), beside=_named(value["beside"]))


def beginning_of(setting: Setting) -> Beginning:
    """What a new search begins with, by its configuration.

    Raises:
        ConfigError: a file of ``search.begin_with`` cannot be read, its candidate does not fit the space or the limits,
            or there are more first trials than ``search.initial``.
    """
    search = setting.config.search
    own = _own(setting)
    room = search.initial - len(own)
    if room < 0:
        raise ConfigError(
            f"search.begin_with has {len(own)} candidates, but only search.initial ({search.initial}) trials come "
            "before the sampler's: raise it or leave some out"
        )
    known = {one.candidate for one in own}
    references = [Named.of(one) for one in _of_search(setting) if one.candidate not in known]
    if search.references == "all" and len(references) > room:
        raise ConfigError(
            f"search.references is 'all', which are {len(references)} here, but search.initial ({search.initial}) has "
            f"room for {room}: raise it to at least {len(own) + len(references)}, or use 'auto'"
        )
    most = room if search.references == "all" else min(room, search.initial // 2)
    beside = one_per_budget(setting.references) if setting.config.family.references else []
    return Beginning(
        first=(*own, *references[:most]),
        beside=tuple(Named.of(one) for one in sorted(beside, key=lambda one: one.macs)),
    )


def describe(setting: Setting, beginning: Beginning) -> Iterator[str]:
    """Sentences on what a search begins with; none where nobody asked for anything."""
    config = setting.config
    wanted = config.search.references != "none" or config.family.references
    if wanted and not setting.references:
        yield f"references: none, since space '{setting.space.name}' has none that fits its restriction and the budgets"
    if beginning.first:
        yield f"first trials: {_listed(setting, beginning.first)}"
    if beginning.beside:
        yield f"references beside the family: {_listed(setting, beginning.beside)}"


def _listed(setting: Setting, named: Sequence[Named]) -> str:
    statistics = setting.statistics(setting.space.encode([one.candidate for one in named]))
    return "; ".join(f"{one.name} ({amount(costs.macs)} macs)" for one, costs in zip(named, statistics, strict=True))


def _of_search(setting: Setting) -> list[Fitting]:
    """The references that ``search.references`` asks for, largest budgets first."""
    if setting.config.search.references == "auto":
        return for_every_second_budget(setting.references)
    return different(setting.references)[::-1] if setting.config.search.references == "all" else []


def _own(setting: Setting) -> tuple[Named, ...]:
    """The different candidates of the files in ``search.begin_with``."""
    by_candidate: dict[Candidate, Named] = {}
    for file in setting.config.search.begin_with:
        try:
            candidates = read_candidates(Path(file))
        except Mistake as mistake:
            raise ConfigError(f"search.begin_with: {mistake}") from mistake
        for number, candidate in enumerate(candidates, start=1):
            name = file if len(candidates) == 1 else f"{file}, number {number}"
            member = _member(setting, candidate, name)
            levels = "" if member == candidate else ", at the space's nearest levels"
            by_candidate.setdefault(member, Named(name=f"{name}{levels}", family="", candidate=member))
    return tuple(by_candidate.values())


def _member(setting: Setting, candidate: Candidate, name: str) -> Candidate:
    """A user's candidate as a member of the space, within the limits."""
    problem = setting.problem
    try:
        codes_1D = codes_of(problem.space, candidate)[None]
    except Mistake as mistake:
        raise ConfigError(f"search.begin_with: '{name}' does not fit: {mistake}") from mistake
    costs = problem.costs(codes_1D)
    for cost, bound in problem.limits.bounds().items():
        if costs[cost][0] > bound:
            raise ConfigError(
                f"search.begin_with: '{name}' has {costs[cost][0]:,.6g} {cost}, above limits.max_{cost} ({bound:,.6g})"
            )
    return problem.space.decode(codes_1D)[0]


def _plain(named: Sequence[Named]) -> list[dict[str, Any]]:
    return [{"name": one.name, "family": one.family, "candidate": one.candidate.to_dict()} for one in named]


def _named(values: Sequence[Mapping[str, Any]]) -> tuple[Named, ...]:
    return tuple(Named(**{**value, "candidate": Candidate.from_dict(value["candidate"])}) for value in values)

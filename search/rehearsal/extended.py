"""Values that a configuration adds to a space: each is trained a little before the first trial."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from search.errors import brief
from search.problem.feasible import sample_within
from search.setting.problem import costs_of
from search.setting.setting import Setting
from spaces.candidate import Candidate
from spaces.dimensions import Value
from spaces.mistake import Mistake
from spaces.space import INACTIVE

DRAWN = 32
"""Candidates with a value of which the cheapest is trained."""


def of_extended(setting: Setting) -> Iterator[str]:
    """Train the cheapest of some candidates with each value of ``space.extend`` on a batch; a sentence for each.

    Components take their knobs as they come, and one that cannot would fail every trial that has it.

    Raises:
        Mistake: a value with which no candidate is within the limits, or none can be trained.
    """
    for address, values in setting.config.space.extend.items():
        for value in values:
            if address in setting.space.index and value in setting.space.dimension(address).values:
                yield _tried(setting, address, value)


def _tried(setting: Setting, address: str, value: Value) -> str:
    import torch  # only where something is added: its import takes seconds

    from trainables.training.need import train_a_little
    from trainables.training.trial import Task

    try:
        candidate = _cheapest(setting, address, value)
        if candidate is None:
            return f"space.extend: no candidate has {value!r} for '{address}', since nothing that is left leads to it"
        task = Task(candidate=candidate, epochs=1, seed=setting.config.seed, score=setting.config.search.weights)
        train_a_little(task, setting.splits, torch.device("cpu"))
    except Exception as error:  # a component's own words for a value that it cannot take
        reason = brief(error) or type(error).__name__
        raise Mistake(f"space.extend: nothing with {value!r} for '{address}' can be trained: {reason}") from error
    return f"space.extend: a candidate with {value!r} for '{address}' can be trained"


def _cheapest(setting: Setting, address: str, value: Value) -> Candidate | None:
    """Of some within the limits; None where what the value depends on is never so.

    Raises:
        UnreachableLimit: nothing with the value is within the limits.
    """
    space = setting.space.restrict({address: [value]})
    if address not in space.index:
        return None
    problem = replace(setting.problem, space=space, costs=costs_of(space, setting.splits, setting.device), pool=None)
    drawn_ND = sample_within(problem, DRAWN, np.random.default_rng(setting.config.seed))
    active_ND = drawn_ND[drawn_ND[:, space.index[address]] != INACTIVE]
    if not len(active_ND):
        return None
    return space.decode(active_ND[[np.argmin(problem.costs(active_ND)["macs"])]])[0]

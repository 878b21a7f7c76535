"""One proposal for a trial of somebody's Optuna script, whatever else settles some of its parameters."""

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial

from search.problem.problem import Observations, Problem
from search.samplers._optuna_trials import Reader, Trials, known_values, remember
from search.samplers._plain_optuna import Bridge
from spaces.codes import row_keys
from spaces.space import INACTIVE, Codes

Propose: TypeAlias = Callable[[Observations, Codes, int], Codes]

ALTERNATIVES = 16
"""Proposals of which one is taken where some parameters are settled: most differ only there from what is known."""


class Script:
    """Turns ``propose`` into parameters of a trial.

    Threads of one study take turns, so that each sees what the others were given. Processes that begin at the same
    moment do not see each other, so each passes over as many proposals as there are trials before its own whose
    candidates are not written down yet.

    Args:
        bridge: between the study's parameters and rows of codes.
        problem: what is searched.
        seed: of values that no proposal holds.
    """

    def __init__(self, bridge: Bridge, problem: Problem, seed: int) -> None:
        self.bridge, self._problem, self._seed = bridge, problem, seed
        self._reader, self._lock = Reader(bridge), Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=Lock())

    def params(
        self, propose: Propose, study: Study, trial: FrozenTrial, search_space: Mapping[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Values of the parameters in ``search_space``; of others that are declared another sampler decides.

        Raises:
            ValueError: the study has several objectives.
        """
        if len(study.directions) != 1:
            raise ValueError("the sampler 'nars' takes a study with one objective: costs are limits, not objectives")
        names = self.bridge.names
        wanted_D = np.array([name in search_space for name in names])
        with self._lock:
            trials = self._reader.read(study, trial)
            settled_D = self.bridge.settled(known_values(trial))
            free_D = wanted_D & (settled_D == INACTIVE)
            if free_D.all():
                codes_D = propose(trials.observed, trials.others_ND, trials.begun + 1)[-1]
            else:
                codes_D = self._among_settled(propose, trials, settled_D, free_D, undecided=not wanted_D.all())
            remember(study, trial, self.bridge, codes_D)
        if not wanted_D.all():  # what is decided elsewhere may switch on what is off here
            codes_D = np.where(codes_D == INACTIVE, self._filler(trials), codes_D)
        return {name: value for name, value in self.bridge.params(codes_D).items() if name in search_space}

    def _among_settled(
        self, propose: Propose, trials: Trials, settled_D: Codes, free_D: NDArray[np.bool_], *, undecided: bool
    ) -> Codes:
        """The first of several proposals that, once the settled codes are put in, is new in the free ones.

        While something is undecided, nobody knows which conditions hold: then it is new without their dimensions.
        """
        space = self._problem.space
        drawn_ND = propose(trials.observed, trials.others_ND, trials.begun + ALTERNATIVES)
        drawn_ND = np.where(settled_D == INACTIVE, drawn_ND, settled_D).astype(np.int16)
        drawn_ND = space.complete(drawn_ND, np.broadcast_to(self._filler(trials), drawn_ND.shape))
        seen_ND = np.concatenate([trials.observed.codes_ND, trials.others_ND])
        alike_N = (seen_ND == settled_D)[:, settled_D != INACTIVE].all(axis=1)
        if undecided:
            free_D = free_D & np.array([address not in space.conditions for address in space.addresses])
        drawn_keys, seen_keys = (
            row_keys(np.where(free_D, codes_ND, INACTIVE).astype(np.int16)) for codes_ND in (drawn_ND, seen_ND[alike_N])
        )
        new_N = ~np.isin(drawn_keys, seen_keys)
        best_first_N = np.argsort(-(2 * new_N + self._problem.feasible(drawn_ND)), kind="stable")
        chosen_D: Codes = drawn_ND[best_first_N[trials.begun]]
        return chosen_D

    def _filler(self, trials: Trials) -> Codes:
        """A code for every dimension, drawn anew for each trial, shape (D,)."""
        rng = np.random.default_rng([self._seed, len(trials.observed.codes_ND), len(trials.others_ND)])
        return rng.integers(0, self._problem.space.sizes_D).astype(np.int16)

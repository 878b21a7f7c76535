"""Figures of rounds: known beside the search, kept once, and made up for where an attempt was cut off."""

import contextlib
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from search.experiment.notes import RoundFigures
from search.problem.problem import Observations


class Watched:
    """A learner whose figure is the number of observations, known once it may be."""

    def __init__(self) -> None:
        self.may_end = threading.Event()

    def held_out_tau(self, observed: Observations, *, pretrained: bool = True) -> float:
        assert self.may_end.wait(10)
        return len(observed.score_N) / 10 if pretrained else float("nan")


class Notes:
    """A study that keeps notes alone."""

    def __init__(self) -> None:
        self.notes: dict[str, Any] = {}

    def note(self, key: str, value: Any) -> None:
        assert key not in self.notes, "figures were kept twice"
        self.notes[key] = value


class FakeTrials:
    """Two trials in the first round and one in each of three further ones."""

    def __init__(self) -> None:
        rounds = (0, 0, 1, 2, 3)
        self._search = [SimpleNamespace(round=r, is_finished=False, message=None, predicted=None) for r in rounds]

    def of(self, purpose: str) -> list[Any]:
        return self._search

    def decisive_epoch(self, trials: list[Any]) -> int:
        return 3

    def scores(self, ended: list[Any], known: list[Any]) -> list[float]:
        return []

    def observations(self, trials: list[Any]) -> Observations:
        return Observations(codes_ND=np.zeros((len(trials), 1), dtype=np.int16), score_N=np.zeros(len(trials)))


def test_figures_are_known_later_and_kept_in_order() -> None:
    study, watched, trials, told = Notes(), Watched(), FakeTrials(), []
    arguments: Any = (trials, watched, study, lambda round_, figures: told.append(round_))
    figures = RoundFigures(*arguments)
    try:
        figures.begin(0, trials.observations([]))
        figures.begin(1, trials.observations(trials.of("search")[:2]))
        figures.collect()
        assert (told, study.notes) == ([], {}), "a round without trials has figures, or the search waited"
        watched.may_end.set()
        figures.begin_missing()
        figures.collect(wait=True)
    finally:
        figures.close()
    assert sorted(told) == [1, 2, 3, 4]
    taus = [study.notes[f"round.{round_}"]["tau"] for round_ in (1, 2, 3, 4)]
    assert taus == [0.2, None, 0.4, 0.5], "measured at first, at twice as many trials, and at the end"
    assert study.notes["round.1"] == {
        "trained": 2, "stop_epoch": 3, "tau_of_proposals": None, "tau": 0.2, "tau_without_pretraining": None
    }  # fmt: skip


def test_an_error_of_the_measurement_is_not_swallowed() -> None:
    study, trials = Notes(), FakeTrials()
    watched: Any = SimpleNamespace(held_out_tau=lambda observed, pretrained=True: 1 / 0)
    arguments: Any = (trials, watched, study, lambda round_, figures: None)
    figures = RoundFigures(*arguments)
    figures.begin(1, trials.observations([]))
    with pytest.raises(ZeroDivisionError):
        figures.collect(wait=True)
    figures.close()


def test_what_could_not_be_told_is_not_noted_and_told_by_the_next_process() -> None:
    study, watched, trials, told = Notes(), Watched(), FakeTrials(), []

    def fail(round_: int, figures: Any) -> None:
        raise KeyboardInterrupt

    watched.may_end.set()
    for tell in (fail, lambda round_, figures: told.append(round_)):
        arguments: Any = (trials, watched, study, tell)
        figures = RoundFigures(*arguments)
        with contextlib.closing(figures), contextlib.suppress(KeyboardInterrupt):
            figures.begin(1, trials.observations(trials.of("search")[:2]))
            figures.collect(wait=True)
    assert told == [1]
    assert list(study.notes) == ["round.1"]

"""Stage 1: train batches of candidates that the sampler picks under the limits, each until its rank is decided."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from search.executors.work import LATER, Later
from search.experiment.trials import Trials
from search.problem.problem import Observations
from search.record.trial import Trial
from search.samplers.protocol import Proposer
from search.setting.beginning import Named
from search.stopping.at_work import audited
from spaces.mistake import Mistake
from spaces.space import Codes
from trainables.job import Job


class Stage1:
    """Proposes rounds of candidates: the first given and space-filling, the others chosen by the sampler.

    Rounds are recorded as a whole before their first trial starts, so a killed run goes on with the same candidates;
    a round whose recording was cut off is proposed again from what was known before it.

    Where several trials run at a time, a round learns from all before it but the last ``ahead`` (at most half of
    them), whether these have ended or not, and waits for the others: so the same seed proposes the same candidates
    whatever the load.
    """

    def __init__(
        self,
        trials: Trials,
        sampler: Proposer,
        first: Sequence[Named],
        believe: Callable[[Observations, Codes], Sequence[tuple[float, float]]],
        on_round: Callable[[int, Observations], None],
        ahead: int | None = 0,
        opening: int | None = None,
    ) -> None:
        """Prepare.

        Args:
            trials: of the study.
            sampler: proposes candidates.
            first: candidates that the search begins with, at most ``search.initial``.
            believe: mean and standard deviation of the predictor, from observations, for new candidates.
            on_round: called with each round's number and the observations that it is proposed from.
            ahead: trials before a round that it does not wait for, nor learn from; None to learn from all that have
                ended, and to wait for none.
            opening: trials of the first round, at least those of ``first`` and at most ``search.initial``, its default.
        """
        self._trials, self._sampler, self._believe, self._on_round = trials, sampler, believe, on_round
        self._first, self._ahead = first, ahead
        self._search, self._seed = trials.search, trials.seed
        self._opening = trials.search.initial if opening is None else opening

    def next_job(self) -> Job | Later | None:
        """The next trial to run; proposes a round when none waits; None when all have been handed out.

        ``LATER`` if the next round must know a trial that runs.

        Raises:
            Mistake: as ``check_first_round``.
        """
        self.check_first_round()
        job = self._trials.next_waiting()
        if job is not None:
            return job
        recorded = self._trials.of("search")
        if len(recorded) >= self._search.trials:
            return None
        round_, start, size = self._open_round(len(recorded))
        before, begun = recorded[:start], recorded[start:]
        if self._ahead is None:
            known = [trial for trial in before if trial.is_finished]
        else:
            known = before[: max(start - self._ahead, math.ceil(start / 2))]
        if not all(trial.is_finished for trial in known):
            return LATER
        self._propose(round_, size, known, before, begun)
        return self._trials.next_waiting()

    def check_first_round(self) -> None:
        """A search goes on whatever trials fail, but not from nothing.

        Raises:
            Mistake: every trial of the first round failed.
        """
        first = self._trials.of("search")[: self._opening]
        if len(first) == self._opening and all(trial.state == "fail" for trial in first):
            raise Mistake(
                f"all {len(first)} trials of the first round failed, the first with: {first[0].message}; search.log in "
                "the run's folder has its trace. Mend the cause, then start the search again under another 'name'"
            )

    def _propose(
        self, round_: int, size: int, known: Sequence[Trial], before: Sequence[Trial], begun: Sequence[Trial]
    ) -> None:
        """Record what is missing of a round."""
        observed = self._trials.observations(known)
        self._on_round(round_, observed)
        numbers = {trial.number for trial in known}
        pending_ND = self._trials.codes([trial for trial in before if trial.number not in numbers])
        first = self._first if round_ == 0 else ()
        first_RD = self._trials.encode([one.candidate for one in first])
        chosen_ND = self._sampler.propose(observed, np.concatenate([pending_ND, first_RD]), size - len(first))
        codes_ND = np.concatenate([first_RD, chosen_ND])[len(begun) :]
        beliefs = self._believe(observed, codes_ND) if round_ else [None] * len(codes_ND)
        decisive = self._trials.decisive_epoch(known)
        origins = [*(one.name for one in first), *[None] * len(chosen_ND)][len(begun) :]
        self._trials.add(
            codes_ND,
            purpose="search",
            round_=round_,
            stop=self._stops(decisive),
            predicted=beliefs,
            origins=origins,
        )

    def _open_round(self, recorded: int) -> tuple[int, int, int]:
        """Number, first trial and size of the first round that is not recorded as a whole."""
        search = self._search
        if recorded < self._opening:
            return 0, 0, self._opening
        later = (recorded - self._opening) // search.batch
        start = self._opening + later * search.batch
        return later + 1, start, min(search.batch, search.trials - start)

    def _stops(self, decisive: int) -> Callable[[int], int]:
        """Most trials stop at the decisive epoch; the first ones and a share, drawn by number, show the final ranks."""

        def stop(number: int) -> int:
            in_full = number < self._search.initial or audited(self._seed, number, self._search.audited)
            return self._search.epochs if in_full else decisive

        return stop

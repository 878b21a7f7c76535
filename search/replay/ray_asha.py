"""Ray Tune's own ASHA, asked one report at a time: a peer of the rules in ``search.replay.curves``."""

from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler


class Asha:
    """``AsyncHyperBandScheduler`` with its default settings."""

    def __init__(self, epochs: int) -> None:
        self._scheduler = AsyncHyperBandScheduler(time_attr="epoch", metric="accuracy", mode="max", max_t=epochs)
        self._trials: dict[int, Any] = {}

    def goes_on(self, number: int, epoch: int, accuracy: float) -> bool:
        """Whether Tune would let the trial go on after this report."""
        if number not in self._trials:
            self._trials[number] = SimpleNamespace(trial_id=str(number))
            self._scheduler.on_trial_add(None, self._trials[number])
        result = {"epoch": epoch, "accuracy": accuracy}
        decision = self._scheduler.on_trial_result(None, self._trials[number], result)
        return bool(decision == AsyncHyperBandScheduler.CONTINUE)

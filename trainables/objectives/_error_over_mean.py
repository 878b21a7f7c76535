"""Whether a masked objective has learnt more than the mean of what it predicts."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class ErrorOverMean:
    """Sums over an epoch of an objective's errors, and of those of a prediction that says nothing of the image."""

    def __init__(self) -> None:
        self._error, self._trivial = torch.zeros(()), torch.zeros(())

    def note(self, error: Tensor, trivial: Tensor) -> None:
        """Add those of a batch."""
        self._error = self._error.to(error.device) + error.detach()
        self._trivial = self._trivial.to(error.device) + trivial.detach()

    def ratio(self) -> float:
        """The error over the trivial one, 1 if nothing is learnt; the epoch ends."""
        ratio = float(self._error / self._trivial) if self._trivial > 0 else 1.0
        self._error, self._trivial = torch.zeros(()), torch.zeros(())
        return ratio


class ErrorWatch(nn.Module):
    """An objective that predicts hidden pixels, and says how much better than their mean does."""

    def __init__(self) -> None:
        super().__init__()
        self.errors = ErrorOverMean()

    def watched(self) -> dict[str, float]:
        """``error_over_mean``: the error of the epoch over that of the mean, 1 if nothing is learnt."""
        return {"error_over_mean": self.errors.ratio()}

    def trouble(self, values: Mapping[str, float]) -> str | None:
        """None: masked pixels have no solution that is the same for all images and has a low loss."""
        del values
        return None

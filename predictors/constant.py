"""The mean of the scores, whatever the candidate: what every predictor must beat."""

import numpy as np

from predictors.parts.inputs import check_columns, check_scores
from predictors.protocol import Floats, Prediction
from spaces.encoding import Layout

NEEDS: tuple[str, ...] = ()


class Model:
    """Predicts the mean score with the scores' standard deviation.

    Args:
        layout: the columns of x_NF.
        rng: not drawn from: nothing is random.
    """

    def __init__(self, *, layout: Layout, rng: np.random.Generator) -> None:
        self.layout = layout
        self._belief: tuple[float, float] | None = None

    def pretrain(self, x_NF: Floats, s_NK: Floats) -> None:
        """Nothing to learn without scores; the arrays are checked."""
        check_columns(self.layout, x_NF, s_NK)

    def fit(self, x_NF: Floats, s_NK: Floats, y_N: Floats) -> None:
        y_N = check_scores(self.layout, x_NF, s_NK, y_N)
        self._statistics = s_NK.shape[1]
        # the mean of N scores is itself uncertain: a new score varies by (1 + 1/N) of their variance
        spread = y_N.std(ddof=1) * np.sqrt(1 + 1 / len(y_N)) if len(y_N) > 1 else 0.0
        self._belief = float(y_N.mean()), float(spread)

    def predict(self, x_NF: Floats, s_NK: Floats) -> Prediction:
        if self._belief is None:
            raise RuntimeError("the predictor 'constant' has no scores yet; call fit before predict")
        check_columns(self.layout, x_NF, s_NK, self._statistics)
        mean, std = self._belief
        return Prediction(mean_N=np.full(len(x_NF), mean), std_N=np.full(len(x_NF), std))

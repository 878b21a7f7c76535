import numpy as np
import pandas as pd

from search.report.sections.predictor import regret


def test_regret_by_hand():
    trials = pd.DataFrame({"number": [0, 1, 2, 3], "macs": [20, 10, 10, 20], "score": [0.5, 0.2, 0.6, 0.9]})
    table = regret(trials, budgets=[10, 20])
    # Within 20: 0.4, 0.4, 0.3, 0. Within 10: nothing yet (the lowest, 0.2, stands in), 0.4, 0, 0.
    assert table["trials"].tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(table["regret"], [0.4, 0.4, 0.15, 0.0])
    assert regret(trials, budgets=[1]).empty

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from search.stopping.ranks import rank_correlations, stop_epoch


def curves(order_changes_until: int, epochs: int = 6, count: int = 12) -> list[list[float]]:
    """Curves whose ranks are random before an epoch and final from it on."""
    rng = np.random.default_rng(0)
    final_N = np.linspace(0.5, 0.9, count)
    return np.stack(
        [rng.permutation(final_N) if epoch < order_changes_until else final_N for epoch in range(1, epochs + 1)], axis=1
    ).tolist()


@pytest.mark.parametrize("coefficient", ["kendall", "spearman"])
@pytest.mark.parametrize("decided", [1, 3, 6])
def test_the_first_epoch_with_the_final_ranks_is_found(coefficient: str, decided: int) -> None:
    assert stop_epoch(curves(decided), 6, 0.92, coefficient) == decided  # type: ignore[arg-type]


def test_few_curves_decide_nothing() -> None:
    assert stop_epoch(curves(1)[:4], 6, 0.92) == 6


def test_equal_accuracies_have_no_rank() -> None:
    assert stop_epoch([[0.1, 0.2, 0.3]] * 8, 3, 0.5) == 3


def test_correlations_are_scipys() -> None:
    accuracy_NE = np.random.default_rng(1).random((20, 4))
    kendall = rank_correlations(accuracy_NE.tolist(), "kendall")
    spearman = rank_correlations(accuracy_NE.tolist(), "spearman")
    for epoch in range(4):
        assert kendall[epoch] == pytest.approx(kendalltau(accuracy_NE[:, epoch], accuracy_NE[:, 3]).statistic)
        assert spearman[epoch] == pytest.approx(spearmanr(accuracy_NE[:, epoch], accuracy_NE[:, 3]).statistic)

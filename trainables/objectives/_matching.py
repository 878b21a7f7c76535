"""Matching of the nodes of two graphs, exact without edges, and a gradient through it."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor

ROUNDS = 20
"""Times that a matching with edges is improved at most; a few suffice."""


def matched(score_NN: NDArray[np.float64]) -> NDArray[np.int64]:
    """The column of each row, so that the sum of scores is largest."""
    column_N: NDArray[np.int64] = linear_sum_assignment(score_NN, maximize=True)[1].astype(np.int64)
    return column_N


def worth(
    score_NN: NDArray[np.float64],
    one_NN: NDArray[np.float64],
    other_NN: NDArray[np.float64],
    column_N: NDArray[np.int64],
) -> float:
    """Of a matching: scores of its pairs, and products of the edges that it lays onto each other."""
    of_nodes = score_NN[np.arange(len(column_N)), column_N].sum()
    return float(of_nodes + (one_NN * other_NN[np.ix_(column_N, column_N)]).sum())


def matched_with_edges(
    score_NN: NDArray[np.float64], one_NN: NDArray[np.float64], other_NN: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The column of each row by scores of nodes and by symmetric weights of edges: a local optimum.

    From the matching of the nodes alone, each round matches by the derivative of ``worth`` at the last one, while that
    gains (Leordeanu, Hebert and Sukthankar 2009, with whole steps).
    """
    best_N = matched(score_NN)
    reached = worth(score_NN, one_NN, other_NN, best_N)
    for _ in range(ROUNDS):
        next_N = matched(score_NN + 2 * one_NN @ other_NN[best_N])
        value = worth(score_NN, one_NN, other_NN, next_N)
        if value <= reached + 1e-9:
            break
        best_N, reached = next_N, value
    return best_N


class Matching(torch.autograd.Function):
    """The matrix (N, N) of the best matching by scores, whose gradient is a difference of two matchings.

    Vlastelica et al. (2020, https://arxiv.org/abs/1912.02175): (matching of scores - matching of scores minus lambda
    times the gradient that arrives) / lambda. Lambda moves scores by ``step`` at most, however the loss is weighted.
    """

    @staticmethod
    def forward(ctx: Any, score_NN: Tensor, step: float) -> Tensor:
        """One where a row is matched with a column."""
        match_NN = _matrix(score_NN)
        ctx.save_for_backward(score_NN, match_NN)
        ctx.step = step
        return match_NN

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Of the scores."""
        score_NN, match_NN = ctx.saved_tensors
        largest = gradients[0].abs().max()
        if largest == 0:
            return torch.zeros_like(score_NN), None
        lambda_ = ctx.step / largest
        return (match_NN - _matrix(score_NN - lambda_ * gradients[0])) / lambda_, None


def _matrix(score_NN: Tensor) -> Tensor:
    column_N = matched(score_NN.detach().double().cpu().numpy())
    match_NN = torch.zeros_like(score_NN)
    match_NN[torch.arange(len(column_N)), torch.from_numpy(column_N)] = 1.0
    return match_NN

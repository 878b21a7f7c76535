"""Graph matching: exact solutions, and a gradient that points where the expected loss falls."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch

from tests.trainables.small import batch, loss_of, network
from trainables.objectives import graph_match
from trainables.objectives._matching import Matching, matched, matched_with_edges, worth
from trainables.objectives.graph_match import graph, of_places

RNG = np.random.default_rng(0)


def symmetric(count: int) -> Any:
    weight = np.triu(RNG.random((count, count)), 1)
    return weight + weight.T


@pytest.mark.parametrize("count", [2, 5, 7])
def test_a_matching_of_nodes_is_the_best_of_all(count: int) -> None:
    score = RNG.random((count, count))
    best = max(permutations(range(count)), key=lambda order: score[range(count), order].sum())
    assert matched(score).tolist() == list(best)


def test_a_matching_with_edges_is_near_the_best_of_all() -> None:
    """Of 30 problems of five nodes with random edges, which are the hardest; never worse than the nodes alone."""
    shares = []
    for _ in range(30):
        score, one, other = RNG.random((5, 5)), symmetric(5), symmetric(5)
        value = worth(score, one, other, matched_with_edges(score, one, other))
        assert value >= worth(score, one, other, matched(score)) - 1e-9
        every = [worth(score, one, other, np.array(order)) for order in permutations(range(5))]
        shares.append(value / max(every))
    assert min(shares) > 0.85
    assert np.mean(shares) > 0.96


def test_edges_mend_what_nodes_leave_open() -> None:
    """Nodes that look alike are told apart by their neighbours."""
    score, edge = np.eye(5), np.zeros((5, 5))
    score[:2, :2] = [[0.5, 0.6], [0.6, 0.5]]
    edge[0, 2] = edge[2, 0] = 1.0
    assert matched(score).tolist() == [1, 0, 2, 3, 4]
    assert matched_with_edges(score, edge, edge).tolist() == [0, 1, 2, 3, 4]


def test_alike_views_are_matched_without_a_mistake() -> None:
    still = {"crop": 1.0, "jitter": 0.0, "noise": 0.0}
    for further in ({}, {"edges": 1.0, "neighbours": 2}, {"local": 0.5}):
        objective = graph_match.objective(network("graph_match"), **still, **further).eval()
        assert float(loss_of(objective, batch()).detach()) == 0.0


def test_the_gradient_points_where_the_expected_loss_falls() -> None:
    """Of six nodes: finite differences of the mean loss over noise, with the same noise on both sides."""
    score = torch.tensor(RNG.random((6, 6)), dtype=torch.float64)
    noise = torch.from_numpy(RNG.gumbel(size=(300, 6, 6)) * 0.3)
    truth = torch.eye(6, dtype=torch.float64)

    def mean_loss(scores: torch.Tensor) -> float:
        columns = [matched((scores + each).numpy()) for each in noise]
        return float(np.mean([(column != np.arange(6)).mean() for column in columns]))

    leaf = score.clone().requires_grad_()
    losses = [(Matching.apply(leaf + each, 0.3) * (1 - 2 * truth)).sum() / 12 for each in noise]
    torch.stack(losses).mean().backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    for place in ((0, 0), (3, 3)):
        shift = torch.zeros_like(score)
        shift[place] = 0.25
        difference = mean_loss(score + shift) - mean_loss(score - shift)
        assert abs(difference) > 0.01
        assert np.sign(difference) == np.sign(float(leaf.grad[place]))


def test_a_graph_joins_each_node_with_its_nearest() -> None:
    direction = torch.nn.functional.normalize(torch.randn(7, 4, generator=torch.Generator().manual_seed(1)))
    joined = graph(direction, 2)
    torch.testing.assert_close(joined, joined.T)  # the last bit of a product depends on the processor
    assert joined.diagonal().abs().sum() == 0
    cosine = direction @ direction.T - 2 * torch.eye(7)
    for row in range(7):
        near = set(cosine[row].topk(2).indices.tolist())
        assert all(joined[row, other] == cosine[row, other].clamp_min(0) for other in near)


def test_the_score_of_places_is_the_mean_best_cosine() -> None:
    one, other = torch.rand(2, 3, 4), torch.rand(5, 3, 4)
    expected = [[(a.T @ b).max(dim=1).values.mean() for b in other] for a in one]
    torch.testing.assert_close(of_places(one, other), torch.tensor(expected))


def test_large_batches_are_not_matched_with_edges() -> None:
    objective = graph_match.objective(network("graph_match"), edges=0.2)
    with pytest.raises(ValueError, match="257 images with edges would take minutes a step; use batches of 256"):
        loss_of(objective, batch(257))

"""Projections, and how many directions features take up."""

import pytest
import torch

from tests.trainables.small import batch, loss_of, network
from trainables.objectives import simclr, swav
from trainables.objectives._collapse import Spread, alike
from trainables.objectives._projection import Projection, rank_of


def features(count: int = 40, width: int = 6) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(0))


def test_no_layers_and_a_kappa_of_one_are_no_head() -> None:
    head = Projection(6, width=64, layers=0, kappa=1.0, norm=True)
    assert torch.equal(head(features()), features())
    assert list(head.parameters()) == []
    assert head.outputs == 6


def test_a_kappa_divides_each_output_by_its_power() -> None:
    head = Projection(6, width=64, layers=0, kappa=2.0, norm=True)
    torch.testing.assert_close(head(features()) * torch.tensor([1.0, 2, 4, 8, 16, 32]), features())
    assert rank_of(head(features())) < rank_of(features())


@pytest.mark.parametrize("layers", [0, 1, 2, 3])
@pytest.mark.parametrize("module", [simclr, swav])
def test_every_depth_of_the_head_trains(module, layers: int) -> None:  # type: ignore[no-untyped-def]
    objective = module.objective(network("simclr"), layers=layers, kappa=1.05)
    linear = [part for part in objective.head.modules() if isinstance(part, torch.nn.Linear)]
    assert len(linear) == layers
    loss_of(objective, batch()).backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in objective.head.parameters())


def test_heads_that_cannot_be_are_refused() -> None:
    for layers, kappa in ((-1, 1.0), (2, 0.5)):
        with pytest.raises(ValueError, match="0, 1 or more layers and a kappa of at least 1"):
            Projection(6, width=64, layers=layers, kappa=kappa, norm=False)


def test_a_rank_counts_directions() -> None:
    one, two = torch.zeros(20, 6), torch.zeros(20, 6)
    one[:, 0] = torch.arange(20)
    two[::2, 1], two[1::2, 2] = 1.0, 1.0
    two[::4, 3] = 0.0
    assert rank_of(one) == pytest.approx(1)
    assert rank_of(torch.ones(20, 6)) == pytest.approx(1)
    assert rank_of(torch.cat([torch.eye(6), -torch.eye(6)])) == pytest.approx(6)


def test_projections_that_all_point_one_way_are_collapsed() -> None:
    spread = Spread()
    spread.note(features(), features())
    values = spread.values()
    assert values["spread"] == pytest.approx(1, abs=0.15)
    assert alike("simclr", values) is None
    spread.note(features(), torch.ones(40, 6) + 1e-3 * features())
    assert "simclr collapsed" in (alike("simclr", spread.values()) or "")

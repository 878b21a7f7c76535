"""What a projection leaves of the features."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.trainables.small import few_labels, network, pretrained
from trainables.final.projection import before_and_after, sides, spread_of
from trainables.objectives._projection import Projection
from trainables.training.checkpoint import Checkpoint
from trainables.training.trial import Task


def test_a_projection_of_no_layers_leaves_all_of_it() -> None:
    body = network("simclr")
    head = Projection(body.width, width=8, layers=0, kappa=1.0, norm=True)
    before, after = sides(body, head, few_labels())
    assert before == after


def test_a_fixed_weight_spreads_singular_values() -> None:
    body = network("simclr")
    uneven = Projection(body.width, width=8, layers=0, kappa=1.5, norm=True)
    before, after = sides(body, uneven, few_labels())
    assert after.spread > before.spread
    assert after.rank < before.rank
    assert spread_of(torch.randn(500, 1) * torch.ones(1, 3) + torch.zeros(500, 3)) == pytest.approx(0, abs=1e-6)
    value_D = torch.tensor([4.0, 2.0, 1.0])
    basis = torch.linalg.qr(torch.randn(50, 3) - torch.randn(50, 3).mean(0))[0]
    centred = basis - basis.mean(0)
    rotated = torch.linalg.qr(centred)[0] * value_D
    assert spread_of(rotated - rotated.mean(0)) == pytest.approx(float(value_D.log().std(correction=0)), rel=0.05)


def test_a_pretraining_is_looked_at_with_the_head_it_trained(tmp_path: Path) -> None:
    task = Task(candidate=pretrained("simclr", **{"simclr.width": 8}), epochs=2, seed=0)
    before, after = before_and_after(task, few_labels(), Checkpoint(path=tmp_path / "x.pt"))
    assert (before.width, after.width) == (16, 8)
    assert set(before.accuracy) == {"nearest_mean", "linear_probe"}
    scratch = replace(task.candidate, pretraining={}, adaptation={})
    with pytest.raises(ValueError, match="is not pretrained"):
        before_and_after(replace(task, candidate=scratch), few_labels(), Checkpoint(path=tmp_path / "y.pt"))
    rotation = replace(task, candidate=pretrained("spark"))
    with pytest.raises(ValueError, match="'spark' has no projection"):
        before_and_after(rotation, few_labels(), Checkpoint(path=tmp_path / "z.pt"))

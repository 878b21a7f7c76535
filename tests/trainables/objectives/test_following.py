"""Networks that follow another, and the share of a schedule by which they do."""

import pytest
import torch
from torch import Tensor, nn

from tests.trainables.small import few_labels, pretrained
from trainables.objectives import supervised
from trainables.objectives._following import Follower, rising
from trainables.plan import Batch
from trainables.training.trial import Task, trial


def leader() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))


def test_weights_follow_a_constant_leader_by_the_closed_form() -> None:
    first, last = leader(), leader()
    follower = Follower(first)
    for _ in range(3):
        follower.follow(last, momentum=0.9)
    for start, end, now in zip(first.parameters(), last.parameters(), follower.parameters(), strict=True):
        torch.testing.assert_close(now, 0.9**3 * start + (1 - 0.9**3) * end)


def test_a_follower_of_what_it_is_stays_what_it_is() -> None:
    module = leader()
    follower = Follower(module)
    follower.follow(module, momentum=0.3)
    assert all(map(torch.equal, follower.parameters(), module.parameters()))
    assert not any(parameter.requires_grad for parameter in follower.parameters())


def test_a_follower_normalises_by_its_batches_and_drops_nothing() -> None:
    follower = Follower(leader()).train()
    copy = follower.copies[0]
    assert isinstance(copy, nn.Sequential)
    rows = torch.rand(8, 3)
    assert torch.equal(copy(rows), copy(rows))
    assert batches(copy) == 2
    follower.eval()
    copy(rows)
    assert batches(copy) == 2


def batches(copy: nn.Sequential) -> int:
    """How many batches its running statistics have seen."""
    return int(copy.state_dict()["1.num_batches_tracked"])


@pytest.mark.parametrize(("progress", "momentum"), [(0.0, 0.99), (0.5, 0.995), (1.0, 1.0)])
def test_momentum_rises_to_one(progress: float, momentum: float) -> None:
    assert rising(0.99, progress) == pytest.approx(momentum)


def test_progress_runs_from_zero_to_the_end_of_a_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    plain = supervised._Supervised.forward

    def noting(self: supervised._Supervised, batch: Batch, generator: torch.Generator) -> Tensor:
        seen.append(batch.progress)
        return plain(self, batch, generator)

    monkeypatch.setattr(supervised._Supervised, "forward", noting)
    splits = few_labels()
    list(trial(Task(candidate=pretrained("simclr"), epochs=4, seed=0), splits))
    steps = 2 * max(1, len(splits.unlabelled) // 32)
    assert seen == pytest.approx([step / steps for step in range(steps)])

"""SwAV beyond its formula: that it learns, and says so when it does not."""

import math
from itertools import islice

import pytest
import torch
import torch.nn.functional as F

from spaces.candidate import Candidate
from tests.benchmarks.small import ARCHITECTURE, RECIPE
from tests.trainables.small import batch, few_labels, loss_of, network, pretrained
from trainables.data.sources import load_source
from trainables.objectives import swav
from trainables.training.epoch import TrialFailed
from trainables.training.trial import Task, trial

PROTOTYPES = 30


@pytest.mark.slow
def test_it_learns_at_its_defaults() -> None:
    """Its loss falls below that of uniform predictions, and its features beat those of the untrained network (.37)."""
    pretraining = {"objective": "swav", "share": 0.9, **RECIPE, "batch.size": 64}
    candidate = Candidate(
        backbone="mobile",
        objective="supervised",
        architecture={**ARCHITECTURE["mobile"], "neck": 0},
        recipe=RECIPE,
        pretraining=pretraining,
        adaptation={"method": "full"},
    )
    splits = load_source("digits", {"labels": 0.1})
    last = list(islice(trial(Task(candidate=candidate, epochs=9, seed=1), splits), 8))[-1]
    assert last.loss < math.log(PROTOTYPES)
    assert last.accuracy > 0.4
    assert last.monitors["prototype_entropy"] > 0.9


def test_prototypes_stay_for_the_first_steps() -> None:
    objective = swav.objective(network("swav"), frozen_steps=2)
    optimizer = torch.optim.AdamW(objective.parameters(), lr=0.01, weight_decay=0.1)
    directions = []
    for _ in range(3):
        optimizer.zero_grad()
        loss_of(objective, batch()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        directions.append(F.normalize(objective.prototypes.weight.detach()).clone())
    torch.testing.assert_close(directions[0], directions[1])
    assert (directions[2] - directions[1]).abs().max() > 1e-3


def test_a_full_queue_takes_part_in_the_codes() -> None:
    objective = swav.objective(network("swav"), queue=16, prototypes=5)
    assert int(objective.queued) == 0
    loss_of(objective, batch())
    first = objective.queue_VQE[:, :8].clone()
    assert objective._earlier(F.normalize(objective.prototypes.weight)) is None
    loss_of(objective, batch())
    assert torch.equal(objective.queue_VQE[:, 8:], first)
    earlier = objective._earlier(F.normalize(objective.prototypes.weight))
    assert earlier is not None
    assert [scores.shape for scores in earlier] == [(16, 5), (16, 5)]


@pytest.mark.parametrize(("prediction", "collapsed"), [("uniform", True), ("one", True), ("each", False)])
def test_prototypes_that_say_nothing_are_a_collapse(prediction: str, collapsed: bool) -> None:
    objective = swav.objective(network("swav"), prototypes=4)
    share_NP = {"uniform": torch.full((8, 4), 0.25), "one": torch.eye(4)[[0] * 8], "each": torch.eye(4).repeat(2, 1)}
    objective._use.note(share_NP[prediction])
    values = objective.watched()
    assert (objective.trouble(values) is not None) == collapsed


def test_a_collapsed_pretraining_is_a_failed_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swav, "LEAST_INFORMATION", 2.0)
    task = Task(candidate=pretrained("swav"), epochs=2, seed=0)
    with pytest.raises(TrialFailed, match=r"swav collapsed: .* use milder views.*; after 1 epochs of pretraining"):
        list(trial(task, few_labels()))


def test_small_crops_predict_too() -> None:
    objective = swav.objective(network("swav"), crops=2)
    assert float(loss_of(objective, batch()).detach()) > 0
    assert swav.passes(crops=2) == 2.5


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 prototypes"):
        swav.objective(network("swav"), prototypes=1)

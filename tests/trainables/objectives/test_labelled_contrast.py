"""LOOK, SelfCon and prototypes against second writings of their formulas, and against lightly's NT-Xent."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from lightly.loss import NTXentLoss

from tests.trainables.small import batch, loss_of, network
from trainables.objectives import look, prototypes, selfcon
from trainables.objectives.look import classmates_among_nearest
from trainables.objectives.selfcon import supervised_contrast
from trainables.plan import Batch

TAU = 0.2


def directions(count: int = 12, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(count, 6, generator=torch.Generator().manual_seed(seed)))


def labels(count: int = 12) -> torch.Tensor:
    return torch.arange(count) % 3


def look_of(own: torch.Tensor, label: torch.Tensor, nearest: int) -> tuple[torch.Tensor, torch.Tensor]:
    cosine = own @ own.T
    return classmates_among_nearest(cosine, label[:, None] == label, torch.arange(len(own)), nearest, TAU)


def test_with_all_others_look_is_neighbourhood_component_analysis() -> None:
    own, label = directions(), labels()
    losses = []
    for row in range(12):
        weight = [math.exp(float(own[row] @ own[other]) / TAU) for other in range(12)]
        mates = sum(weight[other] for other in range(12) if other != row and label[other] == label[row])
        losses.append(-math.log(mates / sum(weight[other] for other in range(12) if other != row)))
    loss, lacking = look_of(own, label, 11)
    assert loss.tolist() == pytest.approx(losses, rel=1e-5)
    assert not lacking.any()


def test_look_is_0_where_all_of_the_nearest_are_classmates() -> None:
    centre = torch.eye(3)[labels()]
    own = F.normalize(centre + 0.05 * directions()[:, :3])
    assert look_of(own, labels(), 3)[0].abs().max() < 1e-6
    assert look_of(own, labels(), 4)[0].min() > 0


def test_look_adds_the_nearest_classmate_where_none_is_near() -> None:
    own, label = directions(), labels()
    loss, lacking = look_of(own, label, 1)
    assert 0 < lacking.sum() < 12
    cosine = own @ own.T
    for row in lacking.nonzero()[:, 0].tolist():
        nearest = max(float(cosine[row, other]) for other in range(12) if other != row)
        mate = max(float(cosine[row, other]) for other in range(12) if other != row and label[other] == label[row])
        assert float(loss[row]) == pytest.approx(math.log1p(math.exp((nearest - mate) / TAU)), rel=1e-4)
    assert loss[~lacking].abs().max() == 0
    alone, needed = look_of(own, torch.arange(12), 2)
    assert alone.isfinite().all()
    assert needed.all()


def test_looks_memory_holds_the_newest_images_and_their_classes() -> None:
    objective = look.objective(network("look"), queue=12, nearest=4).train()
    first, second = batch(), replace(batch(), target_BK=batch().target_BK.flip(0))
    loss_of(objective, first)
    assert objective.class_Q.tolist() == [*first.target_BK.argmax(1).tolist(), *[look.UNKNOWN] * 4]
    loss_of(objective, second)
    expected = torch.cat([second.target_BK.argmax(1), first.target_BK.argmax(1)])[:12]
    assert torch.equal(objective.class_Q, expected)
    assert objective.memory_QE.norm(dim=1).tolist() == pytest.approx([1.0] * 12)
    before = objective.memory_QE.clone()
    loss_of(objective.eval(), first)
    assert torch.equal(objective.memory_QE, before)
    assert 0 <= objective.watched()["without_classmate"] <= 1


def test_supervised_contrast_is_the_papers_by_loops() -> None:
    own, label = directions(), labels()
    losses = []
    for row in range(12):
        weight = [math.exp(float(own[row] @ own[other]) / TAU) for other in range(12)]
        total = sum(weight[other] for other in range(12) if other != row)
        mates = [other for other in range(12) if other != row and label[other] == label[row]]
        losses.append(-np.mean([math.log(weight[other] / total) for other in mates]))
    loss = supervised_contrast(own, label, own, label, torch.arange(12), TAU)
    assert float(loss) == pytest.approx(float(np.mean(losses)), rel=1e-5)


def test_with_labels_of_their_own_a_branch_is_a_second_view() -> None:
    """Then it is SimCLR's loss."""
    whole, branch = directions(seed=1), directions(seed=2)
    objective = selfcon.objective(network("selfcon"), temperature=TAU)
    loss = objective._contrast(whole, branch, torch.arange(12))
    assert float(loss) == pytest.approx(float(NTXentLoss(temperature=TAU)(whole, branch)), rel=1e-5)


def test_a_second_level_is_of_those_images_that_have_one() -> None:
    """The sum of two contrasts, of which the second has its own weight."""
    level = torch.tensor([0, 0, 1, -1, -1, 1, 0, -1])
    images = replace(batch(), fields={"level": level})
    both, first = (selfcon.objective(network("selfcon"), level_weight=weight).eval() for weight in (0.5, 0.0))
    both.load_state_dict(first.state_dict())
    known = level >= 0
    whole, branch = directions(8, seed=1), directions(8, seed=2)
    own, label = torch.cat([whole[known], branch[known]]), level[known].repeat(2)
    expected = supervised_contrast(own, label, own, label, torch.arange(len(own)), 0.07)
    assert float(both._contrast(whole, branch, level)) == pytest.approx(float(expected), rel=1e-5)
    assert float(both._contrast(whole, branch, torch.full((8,), -1))) == 0
    assert float(loss_of(both, images).detach()) > float(loss_of(first, images).detach())


def test_a_branch_beyond_the_stages_is_refused() -> None:
    with pytest.raises(ValueError, match=r"selfcon\.before is 9, but the network has 2 stages; use at most 1"):
        selfcon.objective(network("selfcon"), before=9)


def test_prototypes_are_told_apart_by_cosines() -> None:
    objective = prototypes.objective(network("prototypes"), temperature=TAU).eval()
    images: Batch = batch()
    own = F.normalize(objective.head(objective.network.pooled(images.image_BCHW)))
    cosine = own @ F.normalize(objective.prototypes.weight).T
    expected = -torch.stack(
        [row[c] - row.logsumexp(0) for row, c in zip(cosine / TAU, images.target_BK.argmax(1), strict=True)]
    )
    assert float(loss_of(objective, images).detach()) == pytest.approx(float(expected.mean().detach()), rel=1e-5)

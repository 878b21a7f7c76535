"""Self-distillation of crops: its terms against lightly's losses and loops, and what a step changes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from lightly.loss import DINOLoss, IBOTPatchLoss, NTXentLoss
from torch import Tensor

from tests.conformance.workers import together
from tests.trainables.small import batch, loss_of, network
from trainables.objectives import dino
from trainables.objectives._crop_terms import (
    Clusters,
    Instances,
    Neighbours,
    Patches,
    Seen,
    in_groups,
    over_crops,
)
from trainables.objectives._queue import Queue
from trainables.plan import Batch
from trainables.training.world import World

ALL = {"clusters": 1.0, "instances": 1.0, "neighbours": 1.0, "patches": 1.0, "spread": 0.1, "queue": 16, "nearest": 4}


def crops(small: int = 3, count: int = 6, **others: Any) -> Seen:
    """Random features of two large crops and some small ones."""
    draw = torch.Generator().manual_seed(1)

    def rows(crop: int) -> list[Tensor]:
        return [torch.randn(count, 5, generator=draw) for _ in range(crop)]

    seen = Seen(
        student=rows(2 + small),
        teacher=rows(2),
        student_places=rows(2 + small),
        teacher_places=rows(2),
        student_map=torch.randn(2 * count, 5, 2, 2, generator=draw),
        teacher_map=torch.randn(2 * count, 5, 2, 2, generator=draw),
        hidden_NHW=torch.rand(2 * count, 2, 2, generator=draw) < 0.5,
        together=1,
        progress=0.0,
    )
    return replace(seen, **others)


def number(loss: Tensor) -> float:
    return float(loss.detach())


def clusters(**knobs: Any) -> Clusters:
    torch.manual_seed(2)
    settings = {"student_temperature": 0.1, "teacher_temperature": (0.04, 0.04), "warmup": 0.3, "balanced": False}
    term: Clusters = still(Clusters(5, width=8, prototypes=7, **{**settings, **knobs}))
    return term


def still(term: Any) -> Any:
    """With fixed batch statistics, so that crops may be seen one by one."""
    for heads in (term.heads, term.teacher):
        heads.eval()
    return term


def scores(term: Clusters, seen: Seen) -> tuple[list[Tensor], list[Tensor]]:
    head = term.heads[0]
    return [head(rows) for rows in seen.teacher], [head(rows) for rows in seen.student]


@pytest.mark.parametrize("small", [0, 3])
def test_clusters_are_lightlys_dino_loss(small: int) -> None:
    term, seen = clusters(), crops(small)
    expected = DINOLoss(7, teacher_temp=0.04, student_temp=0.1)
    for _ in range(2):  # the second has a centre
        assert number(term(seen)) == pytest.approx(number(expected(*scores(term, seen))), rel=1e-5)
    torch.testing.assert_close(term.centre.value, expected.center)


def test_balanced_is_half_of_large_crops_and_half_of_small_ones() -> None:
    seen, term = crops(), clusters(balanced=True)
    target, own = scores(term, seen)
    large = DINOLoss(7, teacher_temp=0.04, student_temp=0.1)(target, own[:2])
    plain = DINOLoss(7, teacher_temp=0.04, student_temp=0.1)(target, own)
    small = (8 * plain - 2 * large) / 6
    assert number(term(seen)) == pytest.approx(number(large + small) / 2, rel=1e-5)
    assert abs(number(large + small) / 2 - number(plain)) > 1e-3


def test_images_of_a_group_teach_each_other() -> None:
    """By a double loop over the images of each group, divided by P (P - 1) + 1; one image a group is DINO."""
    draw = torch.Generator().manual_seed(3)
    share = torch.randn(2, 6, 4, generator=draw).softmax(2)
    log = torch.randn(3, 6, 4, generator=draw).log_softmax(2)

    def pair(one: list[int], other: list[int]) -> Tensor:
        return -torch.einsum("tbp,vbp->tv", share[:, one], log[:, other]) / len(one)

    every = list(range(6))
    torch.testing.assert_close(in_groups(share, log, 1), pair(every, every))
    firsts, seconds = every[0::2], every[1::2]
    total = pair(every, every) + pair(firsts, seconds) + pair(seconds, firsts)
    torch.testing.assert_close(in_groups(share, log, 2), total / 3)


def test_the_teachers_temperature_warms_up() -> None:
    term = clusters(teacher_temperature=(0.02, 0.06), warmup=0.5)
    assert [term.temperature(progress) for progress in (0.0, 0.25, 0.5, 0.9)] == pytest.approx([0.02, 0.04, 0.06, 0.06])


def test_instances_are_lightlys_memory_bank_contrast() -> None:
    torch.manual_seed(0)
    term = still(Instances(5, width=8, queue=16, temperature=0.2, balanced=False))
    seen = crops(small=0)
    own, match = ([term.heads[0](rows) for rows in every] for every in (seen.student, seen.teacher))
    losses = []
    for one, other in ((1, 0), (0, 1)):
        expected = NTXentLoss(temperature=0.2, memory_bank_size=(16, 8))
        expected.memory_bank.bank = term.queue.row_QE.clone()
        losses.append(number(expected(own[one], match[other])))
    before = term.queue.row_QE.clone()
    assert number(term(seen)) == pytest.approx(sum(losses) / 2, rel=1e-5)
    assert torch.equal(term.queue.row_QE[12:], before[:4])


def test_neighbours_are_the_nearest_earlier_images() -> None:
    torch.manual_seed(0)
    term = Neighbours(5, width=8, neighbours=2, queue=16, temperature=0.2, balanced=False).eval()
    local, mean = term.heads[0], torch.nn.functional.normalize(crops().student_places[0])
    near = term.places.row_QE
    nearest = (mean @ near.T).topk(2, dim=1).indices.flatten().tolist()
    others = [row for row in range(16) if row not in nearest]
    moved = near.clone()
    moved[others] = -moved[others].abs() * 1e-3
    first, second = local(mean, near, 2), local(mean, moved, 2)
    torch.testing.assert_close(first, second)


def test_patches_are_lightlys_ibot_loss_at_hidden_places() -> None:
    torch.manual_seed(0)
    term = still(Patches(5, width=8, prototypes=7, student_temperature=0.1, teacher_temperature=0.04))
    seen = crops()
    assert seen.hidden_NHW is not None
    rows = [
        term.heads[0](torch.stack([map_BFHW[b, :, y, x] for b, y, x in seen.hidden_NHW.nonzero().tolist()]))
        for map_BFHW in (seen.teacher_map, seen.student_map)
    ]
    expected = IBOTPatchLoss(7, 0.04, 0.1)(*rows, seen.hidden_NHW)
    assert number(term(seen)) == pytest.approx(number(expected), rel=1e-5)


def test_pairs_of_the_same_crop_do_not_count() -> None:
    pair = torch.full((2, 4), 1.0)
    pair[0, 0] = pair[1, 1] = 99.0
    assert float(over_crops(pair, balanced=False)) == float(over_crops(pair, balanced=True)) == 1.0


def objective_on(backbone: str, **knobs: Any) -> Any:
    """On the small network of an objective that supports the same backbones."""
    return dino.objective(network(backbone), **knobs)


def test_terms_of_weight_zero_do_not_exist() -> None:
    plain = objective_on("dino")
    assert set(plain.terms) == {"clusters"}
    assert not any("token" in name or "queue" in name for name in plain.state_dict())


@pytest.mark.parametrize("backbone", ["dino", "simmim"])
def test_all_that_is_not_trained_follows_in_training_alone(backbone: str) -> None:
    weights = {**ALL, "crops": 2} if backbone == "simmim" else {**ALL, "patches": 0.0, "crops": 2}
    objective = objective_on(backbone, **weights, momentum=0.5)
    loss_of(objective, batch()).backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in objective.parameters():
            parameter.add_(0.1 * parameter.requires_grad)
    before = {name: value.clone() for name, value in objective.state_dict().items()}
    loss_of(objective.eval(), batch())
    assert all(torch.equal(value, before[name]) for name, value in objective.state_dict().items())
    loss_of(objective.train(), batch())
    changed = {name for name, value in objective.state_dict().items() if not torch.equal(value, before[name])}
    assert {"terms.clusters.centre.center", "terms.neighbours.queue.row_QE", "terms.instances.queue.row_QE"} <= changed
    followers = [name for name, parameter in objective.named_parameters() if "teacher" in name]
    assert not any(objective.get_parameter(name).requires_grad for name in followers)
    assert any(name in changed for name in followers if name.startswith("terms.clusters"))
    assert any(name in changed for name in followers if name.startswith("teacher."))


def test_the_teacher_or_the_student_is_judged() -> None:
    judged = {keeps: objective_on("dino", keeps=keeps) for keeps in ("teacher", "student")}
    assert judged["student"].evaluated is judged["student"].network
    assert judged["teacher"].evaluated is judged["teacher"].teacher.copies[0]


def test_each_image_hides_a_share_within_the_bounds() -> None:
    objective = objective_on("simmim", patches=1.0, masked_least=0.25, masked_most=0.5)
    objective._side = 4
    share = objective._drawn(200, torch.Generator().manual_seed(0)).float().mean(dim=(1, 2))
    assert float(share.min()) == 0.25
    assert float(share.max()) == 0.5
    assert len(share.unique()) == 5


def test_wrong_numbers_are_refused() -> None:
    for knobs, sentence in (
        ({"clusters": 0.0}, "at least 0 and one is above it"),
        ({"keeps": "both"}, "teacher or student, given 'both'"),
        ({"neighbours": 1.0, "queue": 4}, "at most dino.queue, given 8 of 4"),
        ({"masked_most": 1.0}, r"shares in \(0, 1\)"),
        ({"patches": 1.0}, "hides tokens, which .* does not have"),
    ):
        with pytest.raises(ValueError, match=sentence):
            objective_on("dino", **knobs)


def stepped(world: World) -> list[tuple[float, dict[str, Any]]]:
    """Loss of a first step without batch statistics, and state after two more, of this worker's part of a batch."""
    whole, own = batch(), slice(world.rank, None, world.size)
    part = Batch(image_BCHW=whole.image_BCHW[own], target_BK=whole.target_BK[own])
    both = []
    for weights in ({"clusters": 1.0}, {**ALL, "patches": 0.0, "spread": 0.0}):
        objective = objective_on("dino", crop=1.0, jitter=0.0, **weights)
        wrapped = world.wrap(objective.eval(), torch.device("cpu"))
        loss = float(loss_of(wrapped, part).detach())
        objective.train()
        optimizer = torch.optim.SGD([p for p in objective.parameters() if p.requires_grad], lr=0.1)
        with world.together():
            for seed in range(2):
                optimizer.zero_grad()
                loss_of(wrapped, part, seed).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
        state = objective.state_dict().items()
        both.append((loss, {name: value.numpy().copy() for name, value in state if "num_batches" not in name}))
    return both


@pytest.mark.slow
def test_two_workers_have_one_teacher_one_centre_and_one_queue() -> None:
    """As a single worker has: losses, heads, followers, and queues up to the order of the images."""
    workers, alone = together(stepped), stepped(World())
    for (first, one), (second, other), (loss, expected) in zip(*workers, alone, strict=True):
        assert (first + second) / 2 == pytest.approx(loss, rel=1e-5)
        for name, value in one.items():
            np.testing.assert_allclose(value, other[name], rtol=1e-5, atol=1e-6, err_msg=name)
            if "queue" in name or "places" in name:
                continue
            np.testing.assert_allclose(value, expected[name], rtol=1e-2, atol=1e-4, err_msg=name)


def test_a_queue_holds_a_whole_batch() -> None:
    with pytest.raises(ValueError, match="a queue of 4 cannot hold a batch of 5 images, of all workers"):
        Queue(4, 3).remember(torch.rand(5, 3))

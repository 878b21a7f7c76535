"""Each divergence from a teacher against a second, plain computation."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax
from scipy.stats import entropy, pearsonr, zscore
from torch import Tensor

from spaces import components
from trainables.objectives.jensen_shannon import jensen_shannon
from trainables.plan import Batch

TAUGHT = ("distillation", "dist", "jensen_shannon", "standardised")
GENERATOR = torch.Generator()


def by_hand(name: str, student_BK: NDArray[np.float64], teacher_BK: NDArray[np.float64], t: float) -> float:
    if name == "standardised":
        student_BK, teacher_BK = (zscore(each, axis=1, ddof=1) for each in (student_BK, teacher_BK))
    q_BK, p_BK = softmax(student_BK / t, axis=1), softmax(teacher_BK / t, axis=1)
    if name == "jensen_shannon":
        return t**2 * float(np.mean([jensenshannon(p, q) ** 2 for p, q in zip(p_BK, q_BK, strict=True)]))
    if name == "dist":
        inter = np.mean([1 - pearsonr(p, q).statistic for p, q in zip(p_BK, q_BK, strict=True)])
        intra = np.mean([1 - pearsonr(p, q).statistic for p, q in zip(p_BK.T, q_BK.T, strict=True)])
        return t**2 * float(inter + intra)
    return t**2 * float(np.mean([entropy(p, q) for p, q in zip(p_BK, q_BK, strict=True)]))


def networks() -> tuple[torch.nn.Linear, torch.nn.Linear, Batch]:
    torch.manual_seed(0)
    student, teacher = torch.nn.Linear(4, 5).double(), torch.nn.Linear(4, 5).double()
    return student, teacher, Batch(image_BCHW=torch.randn(6, 4).double(), target_BK=torch.eye(6, 5).double())


def value(name: str, batch: Batch, student: torch.nn.Module, teacher: torch.nn.Module, **knobs: float) -> Tensor:
    module = components.load(components.OBJECTIVES, name)
    loss: Tensor = module.objective(student, teacher=teacher, **knobs)(batch, GENERATOR)
    return loss


@pytest.mark.parametrize("name", TAUGHT)
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_loss_is_the_definition(name: str, temperature: float) -> None:
    student, teacher, batch = networks()
    loss = value(name, batch, student, teacher, temperature=temperature)
    scores = [network(batch.image_BCHW).detach() for network in (student, teacher)]
    rows = batch.target_BK.sum(1) > 0
    entropy_B = -(scores[0].log_softmax(1) * batch.target_BK).sum(1)
    assert rows.sum() == 5
    expected = 0.8 * by_hand(name, scores[0].numpy(), scores[1].numpy(), temperature) + 0.2 * float(entropy_B.mean())
    assert loss.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", TAUGHT)
def test_the_gradient_reaches_the_student_only_and_agreement_has_none(name: str) -> None:
    student, teacher, batch = networks()
    value(name, batch, student, teacher).backward()  # type: ignore[no-untyped-call]
    assert student.weight.grad is not None
    assert student.weight.grad.abs().sum() > 0
    assert teacher.weight.grad is None
    student.load_state_dict(teacher.state_dict())
    student.zero_grad()
    agreed = value(name, batch, student, teacher, label_weight=0.0, distillation_weight=1.0)
    agreed.backward()  # type: ignore[no-untyped-call]
    assert agreed.item() == pytest.approx(0, abs=1e-9)
    assert student.weight.grad.abs().max() < 1e-6


@pytest.mark.parametrize("name", ["dist", "jensen_shannon", "standardised"])
def test_without_a_weight_labels_are_not_read(name: str) -> None:
    student, teacher, batch = networks()
    unlabelled = Batch(image_BCHW=batch.image_BCHW, target_BK=torch.full((6, 5), math.nan).double())
    one, other = (value(name, each, student, teacher, label_weight=0.0) for each in (batch, unlabelled))
    assert torch.equal(one, other)


def test_jensen_shannon_is_symmetric_and_at_most_log_2() -> None:
    one, other = torch.tensor([[60.0, 0.0, 0.0]]), torch.tensor([[0.0, 60.0, 0.0]])
    assert jensen_shannon(one, other).item() == pytest.approx(math.log(2))
    a, b = torch.randn(4, 7), torch.randn(4, 7)
    assert jensen_shannon(a, b).item() == pytest.approx(jensen_shannon(b, a).item())


def test_standardised_scores_forget_scale_and_shift() -> None:
    student, teacher, batch = networks()
    before = value("standardised", batch, student, teacher)
    with torch.no_grad():
        teacher.weight *= 7
        teacher.bias.mul_(7).add_(3)
    assert value("standardised", batch, student, teacher).item() == pytest.approx(before.item(), rel=1e-5)


def test_dist_forgets_the_scale_of_relations_only() -> None:
    student, teacher, batch = networks()
    before = value("dist", batch, student, teacher)
    with torch.no_grad():
        teacher.bias += 3
    assert value("dist", batch, student, teacher).item() == pytest.approx(before.item(), rel=1e-6)


def test_weights_that_leave_no_loss_are_refused() -> None:
    student, teacher, batch = networks()
    with pytest.raises(ValueError, match="not both 0"):
        value("dist", batch, student, teacher, distillation_weight=0.0, label_weight=0.0)

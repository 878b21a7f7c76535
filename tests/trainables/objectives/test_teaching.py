"""Each divergence from a teacher against a second, plain computation."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax
from scipy.stats import entropy, pearsonr, zscore
from torch import Tensor

from spaces import components
from spaces.candidate import Candidate
from tests.trainables.small import MOBILE, OPTIMIZER, network
from tests.trainables.small import batch as images
from trainables.data import digits
from trainables.final.jobs import FinalJob, train
from trainables.objectives import feature_distillation
from trainables.objectives.jensen_shannon import jensen_shannon
from trainables.plan import Batch
from trainables.teachers.named import Ensemble
from trainables.teachers.stored_targets import StoredTeacher

TAUGHT = ("distillation", "dist", "jensen_shannon", "standardised")
GENERATOR = torch.Generator()


def by_hand(name: str, student_BK: NDArray[np.float64], teacher_BK: NDArray[np.float64], t: float) -> float:
    if name == "standardised":
        student_BK, teacher_BK = (zscore(score_BK, axis=1, ddof=1) for score_BK in (student_BK, teacher_BK))
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
def test_the_gradient_reaches_the_student_only(name: str) -> None:
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
    one, other = (value(name, images, student, teacher, label_weight=0.0) for images in (batch, unlabelled))
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
        teacher.bias.add_(3)
    assert value("dist", batch, student, teacher).item() == pytest.approx(before.item(), rel=1e-6)


def test_weights_that_leave_no_loss_are_refused() -> None:
    student, teacher, batch = networks()
    with pytest.raises(ValueError, match="not both 0"):
        value("dist", batch, student, teacher, distillation_weight=0.0, label_weight=0.0)


def test_features_are_compared_by_their_angle() -> None:
    student, teacher = network("supervised"), network("supervised", seed=1).eval()
    loss = feature_distillation.objective(student, teacher=teacher, distillation_weight=0.7, label_weight=0.3).eval()
    batch = images()
    value_of_loss = loss(batch, GENERATOR)
    projection = loss.get_submodule("_divergence.projection")
    with torch.no_grad():
        one_BF, other_BF = projection(student.pooled(batch.image_BCHW)), teacher.pooled(batch.image_BCHW)
        angle = torch.cosine_similarity(one_BF, other_BF, dim=1)
        entropy_B = -(student(batch.image_BCHW).log_softmax(1) * batch.target_BK).sum(1)
    assert value_of_loss.item() == pytest.approx(
        0.7 * float((2 - 2 * angle).mean()) + 0.3 * float(entropy_B.mean()), rel=1e-5
    )
    with torch.no_grad():
        for parameter, value in zip(projection.parameters(), (torch.eye(teacher.width), 0.0), strict=True):
            parameter.copy_(torch.as_tensor(value))
    student.load_state_dict(teacher.state_dict())
    with torch.no_grad():
        agreed = loss(batch, GENERATOR) - 0.3 * F.cross_entropy(teacher(batch.image_BCHW), batch.target_BK)
    assert agreed.item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("knobs", "message"), [({"temperature": 2.0}, "temperature 1"), ({"label_weight": 0.0}, "label_weight above 0")]
)
def test_features_have_no_temperature_and_need_labels(knobs: dict[str, float], message: str) -> None:
    teacher = network("supervised", seed=1)
    with pytest.raises(ValueError, match=message):
        feature_distillation.objective(network("supervised"), teacher=teacher, **knobs)


def test_teachers_without_features_are_refused(tmp_path: Path) -> None:
    teacher = network("supervised", seed=1).eval()
    for without in (StoredTeacher(teacher, tmp_path, top_k=3), Ensemble([teacher, teacher])):
        with pytest.raises(ValueError, match=f"without stored targets, not {type(without).__name__}"):
            feature_distillation.objective(network("supervised"), teacher=without)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_soft_labels_equal_distillation_plus_the_teachers_entropy(temperature: float) -> None:
    student, teacher, batch = networks()
    gradients, losses = [], []
    for name in ("unlabelled_distillation", "distillation"):
        student.zero_grad()
        loss = value(name, batch, student, teacher, distillation_weight=1.0, label_weight=0.0, temperature=temperature)
        factor = 1.0 if name == "unlabelled_distillation" else temperature**2
        (loss / factor).backward()  # type: ignore[no-untyped-call]
        assert student.weight.grad is not None
        gradients.append(student.weight.grad.clone())
        losses.append(float(loss.detach()) / factor)
    p_BK = (teacher(batch.image_BCHW).detach() / temperature).softmax(1)
    assert losses[0] - losses[1] == pytest.approx(float(np.mean(entropy(p_BK.numpy(), axis=1))), rel=1e-6)
    torch.testing.assert_close(gradients[0], gradients[1])


def test_soft_labels_refuse_a_weight_for_labels() -> None:
    student, teacher, batch = networks()
    with pytest.raises(ValueError, match="reads no labels"):
        value("unlabelled_distillation", batch, student, teacher, label_weight=0.2)


@pytest.mark.parametrize("objective", ["unlabelled_distillation", "jensen_shannon", "feature_distillation"])
def test_final_training_with_few_labels(objective: str, tmp_path: Path) -> None:
    """Without a weight for labels all images are learnt from and no label is read; with it, those that have labels."""
    whole = digits.load()
    rows = np.arange(0, len(whole.train), 10)
    pool = whole.train.take(np.arange(0, len(whole.train), 3))
    few = replace(whole, train=whole.train.take(rows), pool=pool)
    wrong = replace(few, pool=replace(pool, label_N=np.roll(pool.label_N, 1)))
    other = replace(few, pool=replace(pool, image_NCHW=255 - pool.image_NCHW))
    recipe = Candidate(backbone="mobile", objective="supervised", architecture=MOBILE, recipe=OPTIMIZER)
    teacher = FinalJob(name="teacher", candidate=recipe, epochs=1, seed=0)
    weight = 0.2 if objective == "feature_distillation" else 0.0
    pupil = FinalJob(
        name="pupil", candidate=recipe, epochs=1, seed=1, teachers=(teacher,), objective=objective, label_weight=weight
    )
    loss = {}
    for name, splits in (("few", few), ("wrong", wrong), ("other", other)):
        list(train(teacher, splits, tmp_path / name))
        loss[name] = [report.loss for report in train(pupil, splits, tmp_path / name)]
    assert loss["few"] == loss["wrong"]
    assert (loss["few"] == loss["other"]) == (objective == "feature_distillation")

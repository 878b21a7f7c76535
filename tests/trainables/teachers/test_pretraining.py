"""Pretraining with a teacher that a candidate names."""

from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from tests.trainables.small import few_labels, loss_of, network, pretrained, without_time
from trainables.objectives import unlabelled_distillation
from trainables.objectives._fixed_views import FixedViews
from trainables.objectives.unlabelled_distillation import largest, soft_cross_entropy
from trainables.plan import Batch
from trainables.pretrained import Source
from trainables.splits import Splits
from trainables.teachers import pretraining as taught
from trainables.teachers.named import TeacherError, load_any_teacher
from trainables.training.trial import Task, trial


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> Splits:
    """With pretrained weights of 1,000 classes and three channels, named ``teacher``."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    save_file(timm.create_model("test_resnet").state_dict(), path)
    return replace(few_labels(), weights={"teacher": Source(model="test_resnet", path=str(path))})


def test_pretrained_weights_of_other_classes_teach(splits: Splits) -> None:
    teacher = load_any_teacher("teacher", splits)
    assert (teacher.scored, teacher.resolution, len(teacher.mean.flatten())) == (1000, 160, 1)
    with pytest.raises(TeacherError, match=r"teacher 'x' is unknown: section weights names teacher"):
        load_any_teacher("x", splits)


def test_a_teacher_is_asked_once_for_each_image_by_all_trials(
    splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(taught, "load_any_teacher", lambda name, splits: counted(asked))
    knobs = {"unlabelled_distillation.teacher": "teacher"}
    candidates = [
        pretrained("unlabelled_distillation", **knobs, **{"unlabelled_distillation.temperature": temperature})
        for temperature in (1.0, 2.0)
    ]
    first, second = (
        list(trial(Task(candidate=candidate, epochs=4, seed=0), splits, cache=tmp_path)) for candidate in candidates
    )
    assert len(first) == len(second) == 4
    images = len({row.numpy().tobytes() for row in splits.unlabelled.batch(range(len(splits.unlabelled)))[0]})  # type: ignore[arg-type]
    assert sum(asked) <= images
    again = list(trial(Task(candidate=candidates[1], epochs=4, seed=0), splits, cache=tmp_path))
    assert without_time(again) == without_time(second)


def counted(asked: list[int]) -> torch.nn.Module:
    teacher = network("unlabelled_distillation", seed=1).eval()
    teacher.register_forward_hook(lambda module, inputs, output: asked.append(len(output)))
    return teacher


def test_what_the_largest_classes_leave_is_spread_evenly() -> None:
    score_BK = torch.randn(4, 6)
    share_BK = largest(score_BK, 2).exp()
    whole_BK = score_BK.softmax(1)
    assert torch.allclose(share_BK.sum(1), torch.ones(4), atol=1e-5)
    top_B2, class_B2 = whole_BK.topk(2, dim=1)
    assert torch.allclose(share_BK.gather(1, class_B2), top_B2, atol=1e-6)
    assert torch.allclose(share_BK.sort(1).values[:, :4], ((1 - top_B2.sum(1)) / 4)[:, None].expand(4, 4), atol=1e-6)
    student_BK = torch.randn(4, 6)
    whole = {"weight": 1.0, "temperature": 3.0}
    expected = -((score_BK / 3).softmax(1) * (student_BK / 3).log_softmax(1)).sum(1).mean()
    for top_k in (None, 6):
        assert torch.allclose(soft_cross_entropy(student_BK, score_BK, top_k=top_k, **whole), expected, atol=1e-6)


def test_views_of_an_image_are_the_same_whenever_it_is_seen() -> None:
    views = FixedViews(count=3, crop=0.5, jitter=0.2, flip=0.0)
    image_BCHW = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)).expand(64, 1, 8, 8)
    seen_BCHW = views.of(image_BCHW, torch.Generator().manual_seed(1))
    assert len({row.numpy().tobytes() for row in seen_BCHW}) == 3


def test_a_student_of_other_classes_has_a_head_for_them_and_a_frozen_classifier() -> None:
    student, teacher = network("unlabelled_distillation"), network("unlabelled_distillation", seed=1).eval()
    teacher.network.classifier = torch.nn.Linear(teacher.width, 20)
    objective = unlabelled_distillation.objective(student, teacher=teacher, classes=20, views=2)
    batch = Batch(image_BCHW=torch.rand(8, 1, 8, 8), target_BK=torch.zeros(8, 10))
    loss_of(objective, batch).backward()  # type: ignore[no-untyped-call]
    trained = {name for name, parameter in objective.named_parameters() if parameter.grad is not None}
    assert {"head.weight", "head.bias"} < trained
    assert not any(parameter.requires_grad for parameter in student.classifier.parameters())

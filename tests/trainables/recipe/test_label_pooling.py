"""Class maps of a teacher, kept on disk, and their pooling over views."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.ops import roi_align

from spaces.candidate import Candidate
from tests.trainables.small import MOBILE, OPTIMIZER, few_labels
from trainables.batches.places import carried
from trainables.maps import class_map
from trainables.plan import Batch, LabelMaps, Plan
from trainables.recipe import augment, label_pooling
from trainables.splits import Images
from trainables.teachers.class_maps import TopClasses, check_classes, with_class_maps
from trainables.teachers.named import TeacherError, load_any_teacher
from trainables.training.trial import Task, trial

TEACHER = "untrained:test_resnet"
CPU = torch.device("cpu")


def plan() -> Plan:
    return Plan(epochs=1, images=8, classes=3)


def batch(map_BKHW: torch.Tensor) -> Batch:
    count, classes = map_BKHW.shape[:2]
    return Batch(
        image_BCHW=torch.rand(count, 1, 8, 8), target_BK=torch.eye(classes)[:count], fields={"classmap": map_BKHW}
    )


def pooled(map_BKHW: torch.Tensor, weight: float = 1.0, **moves: float) -> torch.Tensor:
    """Targets after augmentation and pooling."""
    both = label_pooling.apply(augment.apply(plan(), **moves), weight=weight, teacher=TEACHER)
    seen = batch(map_BKHW)
    for transform in both.transforms:
        seen = transform(seen, torch.Generator().manual_seed(0))
    assert "classmap" not in seen.fields
    return seen.target_BK


def random_map() -> torch.Tensor:
    return torch.randn(3, 3, 4, 4, generator=torch.Generator().manual_seed(1))


def test_a_whole_image_has_the_softmax_of_the_mean_of_its_map() -> None:
    expected = random_map().double().mean((2, 3)).softmax(1).float()
    assert torch.allclose(pooled(random_map()), expected, atol=1e-7)
    assert torch.allclose(pooled(random_map(), 0.25), 0.75 * torch.eye(3) + 0.25 * expected, atol=1e-7)


def test_mirrored_images_have_the_same_target() -> None:
    assert torch.allclose(pooled(random_map(), flip=1.0), pooled(random_map()), atol=1e-6)


@pytest.mark.parametrize("box", [(0.5, 1.0, 3.5, 3.0), (1.0, 1.0, 2.0, 3.0), (0.7, 0.9, 3.1, 2.2)])
def test_a_crop_is_pooled_as_roi_align_pools_its_box(box: tuple[float, float, float, float]) -> None:
    """Four points a side of a box in cells of the map: left, top, right, bottom."""
    left, top, right, bottom = box
    wide, high = (right - left) / 4, (bottom - top) / 4
    move = torch.tensor([[[wide, 0.0, (left + right) / 4 - 1], [0.0, high, (top + bottom) / 4 - 1]]])
    seen = carried({"classmap": random_map()[:1]}, move)["classmap"].mean((2, 3))
    aligned = roi_align(random_map()[:1], [torch.tensor([box])], 1, sampling_ratio=4, aligned=True)[..., 0, 0]
    assert torch.allclose(seen, aligned, atol=1e-6)


def test_columns_of_a_map_are_columns_of_the_image() -> None:
    """Class 1 is on the right and class 2 below; what is shown of an image moved left is its right."""
    score = torch.zeros(1, 3, 4, 4)
    score[:, 1, :, 2:], score[:, 2, 2:] = 8.0, 8.0
    right = torch.tensor([[[0.5, 0.0, 0.5], [0.0, 0.5, -0.5]]])
    seen = carried({"classmap": score}, right)["classmap"].mean((2, 3))
    assert seen.argmax() == 1
    assert seen[0, 2] < 2


def few() -> Images:
    return few_labels().train.take(np.arange(40))


def test_maps_are_the_teachers_and_say_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    splits, images = few_labels(), few()
    teacher = load_any_teacher(TEACHER, splits)
    first = with_class_maps(images, LabelMaps(teacher=TEACHER, keep=10), splits, CPU, tmp_path)
    maps = first.fields["classmap"]
    expected = class_map(teacher, images.batch(np.arange(40))[0]).log_softmax(1)
    assert maps.shape == tuple(expected.shape)
    np.testing.assert_allclose(maps[np.arange(40)], expected.detach().numpy(), atol=2e-3)
    assert isinstance(first.take(np.arange(3)).fields["classmap"], TopClasses)
    monkeypatch.setattr("trainables.teachers.class_maps._asked", None)  # a second process asks nobody
    again = with_class_maps(images, LabelMaps(teacher=TEACHER, keep=10), splits, CPU, tmp_path)
    assert np.array_equal(again.fields["classmap"][np.arange(40)], maps[np.arange(40)])


def test_what_is_not_kept_is_spread_over_the_other_classes() -> None:
    splits = few_labels()
    maps = with_class_maps(few(), LabelMaps(teacher=TEACHER, keep=2), splits, CPU, None).fields["classmap"]
    share = np.exp(maps[np.arange(40)])
    np.testing.assert_allclose(share.sum(1), 1.0, atol=1e-3)
    ordered = np.sort(share, axis=1)
    np.testing.assert_allclose(ordered[:, 0], ordered[:, -3], rtol=1e-5)
    assert (ordered[:, -1] > ordered[:, 0]).all()


def test_a_teacher_of_other_classes_is_refused() -> None:
    teacher = load_any_teacher(TEACHER, few_labels())
    with pytest.raises(TeacherError, match=r"has 10 classes and the data 5"):
        check_classes(teacher, TEACHER, 5)


@pytest.mark.parametrize("knobs", [{"weight": 1.5, "teacher": "x"}, {"weight": 0.5, "teacher": "x", "keep": 0}])
def test_settings_that_cannot_be_are_refused(knobs: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"is in \[0, 1\] and recipe.label_pooling.keep at least 1"):
        label_pooling.apply(plan(), **knobs)  # type: ignore[arg-type]


def test_a_teacher_is_needed() -> None:
    with pytest.raises(ValueError, match=r"needs recipe.label_pooling.teacher"):
        label_pooling.apply(plan(), weight=0.5)


def test_pooled_labels_train_with_augmentation_and_mixup(tmp_path: Path) -> None:
    recipe = {**OPTIMIZER, "label_pooling.weight": 0.5, "label_pooling.teacher": TEACHER, "augment.crop": 0.5,
              "mixup.alpha": 0.2}  # fmt: skip
    candidate = Candidate(backbone="mobile", objective="supervised", architecture=MOBILE, recipe=recipe)
    losses = [
        next(iter(trial(Task(candidate=candidate, epochs=2, seed=0), few_labels(), cache=tmp_path))).loss
        for _ in range(2)
    ]
    assert losses[0] == losses[1]
    assert len(list((tmp_path / "targets" / "maps").glob("*.npy"))) == 1

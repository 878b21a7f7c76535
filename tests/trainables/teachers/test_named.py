from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from trainables.data import digits
from trainables.splits import Splits
from trainables.teachers.named import Ensemble, TeacherError, load_teacher, save_teacher


@pytest.fixture(scope="module")
def splits() -> Splits:
    return digits.load()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("teacher") / "weights.safetensors"
    save_file(timm.create_model("test_resnet", num_classes=10, in_chans=1).state_dict(), path)
    return path


def test_a_timm_model_with_its_checkpoint_teaches_and_travels(splits: Splits, checkpoint: Path, tmp_path: Path) -> None:
    name = f"test_resnet@{checkpoint}"
    teacher = load_teacher(name, splits)
    images = torch.rand(3, 1, 8, 8)
    plain = timm.create_model("test_resnet", num_classes=10, in_chans=1, checkpoint_path=str(checkpoint)).eval()
    mean, std = (torch.tensor(values).view(1, 1, 1, 1) for values in (splits.mean, splits.std))
    torch.testing.assert_close(teacher(images), plain((images - mean) / std))
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    save_teacher(name, splits, tmp_path / "one")
    save_teacher(f"local-dir:{tmp_path / 'one'}", splits, tmp_path / "two")
    torch.testing.assert_close(load_teacher(f"local-dir:{tmp_path / 'two'}", splits)(images), teacher(images))


def test_an_ensemble_has_the_mean_of_the_probabilities() -> None:
    torch.manual_seed(0)
    networks = [torch.nn.Linear(4, 3) for _ in range(3)]
    image_NC = torch.rand(5, 4)
    mean = torch.stack([network(image_NC).softmax(1) for network in networks]).mean(0)
    torch.testing.assert_close(Ensemble(networks)(image_NC).softmax(1), mean)
    torch.testing.assert_close(Ensemble(networks)(image_NC).exp(), mean)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("test_resnet", "has no weights"),
        ("no_such_model@WEIGHTS", "no_such_model"),
        ("test_resnet@nowhere.safetensors", "cannot be loaded"),
        ("test_vit@WEIGHTS", "cannot be loaded"),
        ("local-dir:nowhere", "cannot be loaded"),
    ],
)
def test_what_cannot_teach_is_one_sentence(splits: Splits, checkpoint: Path, name: str, message: str) -> None:
    with pytest.raises(TeacherError, match=message) as caught:
        load_teacher(name.replace("WEIGHTS", str(checkpoint)), splits)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_that_carries_code_is_refused(splits: Splits, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"state_dict": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(TeacherError, match="cannot be loaded"):
        load_teacher(f"test_resnet@{tmp_path / 'trap.pt'}", splits)
    assert not (tmp_path / "sprung").exists()


def test_an_untrained_teacher_is_always_the_same_and_sees_what_it_is_made_for(splits: Splits) -> None:
    one, again = (load_teacher("untrained:test_resnet", splits) for _ in range(2))
    torch.rand(3)
    images = torch.rand(3, 1, 8, 8)
    assert torch.equal(one(images), again(images))
    assert one.resolution == 8
    assert one.normalisation == (splits.mean, splits.std)
    assert load_teacher("untrained:test_vit", splits).resolution == 160  # of patches that 8 pixels do not fill


def test_an_untrained_teacher_that_does_not_exist_is_one_sentence(splits: Splits) -> None:
    with pytest.raises(TeacherError, match="teacher 'untrained:nothing' cannot be loaded"):
        load_teacher("untrained:nothing", splits)

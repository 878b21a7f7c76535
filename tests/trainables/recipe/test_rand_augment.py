"""RandAugment against timm's own operations, one by one, and what the recipe makes of it."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from timm.data import auto_augment as timm_augment
from torch import Tensor, nn

from tests.trainables.plans import batch, plan, transformed
from trainables.deploy import Deployable
from trainables.plan import Plan
from trainables.recipe import augment
from trainables.recipe._rand_augment import NAMES, RandAugment, argument, operate

TIMMS = {
    "auto_contrast": "AutoContrast",
    "equalize": "Equalize",
    "invert": "Invert",
    "posterize": "Posterize",
    "solarize": "Solarize",
    "solarize_add": "SolarizeAdd",
    "brightness": "Brightness",
    "color": "Color",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "rotate": "Rotate",
    "shear_x": "ShearX",
    "shear_y": "ShearY",
    "translate_x": "TranslateXRel",
    "translate_y": "TranslateYRel",
}
GROWING = ("posterize", "solarize", "brightness", "color", "contrast", "sharpness")
MOVING = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
BARE = ("auto_contrast", "equalize", "invert")


def timms_name(name: str, *, increasing: bool) -> str:
    return TIMMS[name] + ("Increasing" if increasing and name in GROWING else "")


def planned() -> Plan:
    network = Deployable(nn.Flatten(), mean=(0.25,), std=(0.5,), resolution=8)
    return replace(plan(), network=network, epochs=5)


def test_it_has_timms_operations() -> None:
    for increasing, theirs in (
        (True, timm_augment._RAND_INCREASING_TRANSFORMS),
        (False, timm_augment._RAND_TRANSFORMS),
    ):
        assert {timms_name(name, increasing=increasing) for name in NAMES} == set(theirs)


@pytest.mark.parametrize("increasing", [True, False])
@pytest.mark.parametrize("name", [name for name in NAMES if name not in BARE])
def test_parameters_are_timms(name: str, increasing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = timm_augment.LEVEL_TO_ARG[timms_name(name, increasing=increasing)]
    for negative in (False, True):
        monkeypatch.setattr(random, "random", lambda negative=negative: 0.9 if negative else 0.1)
        for magnitude in (0.0, 1.0, 3.0, 4.5, 5.0, 7.0, 9.0, 10.0, 15.0):
            (expected,) = theirs(magnitude, {})
            ours = argument(name, torch.tensor([magnitude]), torch.tensor([negative]), increasing=increasing)
            assert ours.item() == pytest.approx(max(expected, 0) if name == "posterize" else expected, abs=1e-5)


def picture(channels: int) -> Tensor:
    """A smooth image with noise and levels from 20 to 220, shape (1, C, 24, 24)."""
    generator = torch.Generator().manual_seed(channels)
    coarse = torch.rand(1, channels, 5, 5, generator=generator)
    smooth = nn.functional.interpolate(coarse, size=24, mode="bicubic", align_corners=False)
    return ((smooth + 0.05 * torch.randn(smooth.shape, generator=generator)).clamp(0, 1) * 200 + 20).round()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_images_are_timms(name: str, channels: int) -> None:
    level_1CHW = picture(channels)
    array = level_1CHW[0].permute(1, 2, 0).numpy().astype(np.uint8)
    image = Image.fromarray(array[:, :, 0] if channels == 1 else array)
    arguments = {"posterize": 3, "solarize": 100, "solarize_add": 60, "rotate": 20.0}
    told = arguments.get(name, 0.25 if name in MOVING else 1.7)
    kwargs = {"fillcolor": (51,) * channels if channels == 3 else 51, "resample": Image.Resampling.BILINEAR}
    theirs = timm_augment.NAME_TO_OP[timms_name(name, increasing=True)](
        image, *(() if name in BARE else (told,)), **kwargs
    )
    expected = torch.from_numpy(np.asarray(theirs).astype(np.float32).reshape(24, 24, channels)).permute(2, 0, 1)
    ours = operate(name, level_1CHW, torch.tensor([float(told)]), (0.2,) * channels)[0]
    gap = (ours - expected).abs()
    assert not torch.equal(expected, level_1CHW[0]) or (name == "color" and channels == 1)
    assert gap.median() <= 1
    if name in MOVING:  # Pillow computes places in fixed point: one at the border falls to the other side
        assert (gap > 1).float().mean() < 0.01
    else:
        assert gap.max() <= 1


def test_each_image_has_its_own_operations_from_the_generator() -> None:
    augmented = augment.apply(planned(), operations=2, magnitude=12.0)
    image_BCHW = transformed(augmented, seed=5).image_BCHW
    assert torch.equal(image_BCHW, transformed(augmented, seed=5).image_BCHW)
    assert not torch.equal(image_BCHW, transformed(augmented, seed=6).image_BCHW)
    many = replace(batch(), image_BCHW=batch().image_BCHW[:1].expand(400, 1, 8, 8))
    changed = augmented.transforms[0](many, torch.Generator().manual_seed(0)).image_BCHW
    kinds = changed.flatten(1).unique(dim=0)
    assert len(kinds) > 60
    assert changed.min() >= 0
    assert changed.max() <= 1
    same = (changed - many.image_BCHW).abs().flatten(1).amax(1) < 1 / 255
    assert 0.2 < same.float().mean() < 0.4  # a quarter has no operation; colour changes no grey image


def test_it_grows_with_the_epochs_as_efficienttrains(monkeypatch: pytest.MonkeyPatch) -> None:
    magnitudes: list[float] = []

    def noted(name: str, magnitude_B: Tensor, negative_B: Tensor, *, increasing: bool) -> Tensor:
        magnitudes.extend(magnitude_B.tolist())
        return argument(name, magnitude_B, negative_B, increasing=increasing)

    monkeypatch.setattr("trainables.recipe._rand_augment.argument", noted)
    augmented = augment.apply(planned(), operations=2, magnitude=9.0, first=1 / 9)
    for epoch in range(1, 6):
        augmented.before_epoch[0](epoch)
        transformed(augmented)
    assert sorted({round(magnitude, 4) for magnitude in magnitudes}) == [1, 3, 5, 7, 9]


def test_magnitudes_spread_up_to_full_strength(monkeypatch: pytest.MonkeyPatch) -> None:
    magnitudes: list[float] = []

    def noted(name: str, magnitude_B: Tensor, negative_B: Tensor, *, increasing: bool) -> Tensor:
        magnitudes.extend(magnitude_B.tolist())
        return argument(name, magnitude_B, negative_B, increasing=increasing)

    monkeypatch.setattr("trainables.recipe._rand_augment.argument", noted)
    drawn = RandAugment(operations=4, magnitude=9.0, spread=0.5, increasing=True, fill=(0.0,))
    drawn(torch.rand(400, 1, 8, 8), 1.0, torch.Generator().manual_seed(0))
    assert np.mean(magnitudes) == pytest.approx(9.0, abs=0.1)
    assert np.std(magnitudes) == pytest.approx(0.5, abs=0.1)
    assert max(magnitudes) <= 10


@pytest.mark.parametrize(
    "wrong", [{"operations": -1}, {"operations": 2, "magnitude": 31.0}, {"operations": 2, "spread": -0.1}]
)
def test_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"recipe.augment.magnitude is 0 to 30, given"):
        augment.apply(planned(), **wrong)  # type: ignore[arg-type]


def test_it_needs_a_network_with_a_mean() -> None:
    with pytest.raises(ValueError, match=r"needs a network with a mean, given Linear"):
        augment.apply(plan(), operations=2)

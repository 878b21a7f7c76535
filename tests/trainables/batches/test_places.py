"""Where views are cut, through augmentation and on to what reads it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.trainables.small import few_labels, network
from trainables.batches.fields import VOCABULARY, misfits
from trainables.batches.places import PlaceError, carried, centres, composed, everywhere
from trainables.objectives import supervised
from trainables.objectives._views import placed_view
from trainables.plan import Batch, Plan
from trainables.recipe import augment, mixup
from trainables.training.epoch import train_epoch
from trainables.training.loading import Loader
from trainables.training.world import World


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def plan() -> Plan:
    return Plan(epochs=4, images=64, classes=10, batch_size=16, network=network("simclr"))


def ramp(count: int = 5, side: int = 24) -> torch.Tensor:
    """Two channels that say how far right and how far down a place is, in coordinates of the image."""
    place_H = (2 * torch.arange(side) + 1) / side - 1
    down_HW, across_HW = torch.meshgrid(place_H, place_H, indexing="ij")
    return torch.stack([across_HW, down_HW]).repeat(count, 1, 1, 1)


def batch(**fields: torch.Tensor) -> Batch:
    count = len(next(iter(fields.values()))) if fields else 5
    return Batch(image_BCHW=ramp(count), target_BK=torch.eye(10)[:count], fields=fields)


def augmented(before: Batch, seed: int = 0, **knobs: Any) -> Batch:
    (transform,) = augment.apply(plan(), **knobs).transforms
    return transform(before, generator(seed))


def test_what_nothing_moved_is_where_it_was() -> None:
    place_BN2 = centres(everywhere(2, torch.device("cpu")), 24)
    torch.testing.assert_close(place_BN2, ramp(2).flatten(2).transpose(1, 2))


def test_a_view_of_a_view_is_read_at_the_composed_places() -> None:
    """Inside both, as a ramp is a ramp."""
    first, outer_B23 = placed_view(ramp(), generator(1), crop=0.3, jitter=0.0, flip=0.5)
    second, inner_B23 = placed_view(first, generator(2), crop=0.3, most=0.8, jitter=0.0, flip=0.5)
    expected_BN2 = centres(composed(outer_B23, inner_B23), 24)
    inside_BN = (expected_BN2.abs() < 1 - 1 / 24).all(dim=2) & (centres(inner_B23, 24).abs() < 1 - 1 / 24).all(dim=2)
    seen_BN2 = second.flatten(2).transpose(1, 2)
    assert inside_BN.float().mean() > 0.5
    torch.testing.assert_close(seen_BN2[inside_BN], expected_BN2[inside_BN], atol=1e-5, rtol=0)


def test_augmentation_says_where_it_cuts_and_maps_follow() -> None:
    before = batch(placed=everywhere(5, torch.device("cpu")), classmap=ramp(side=12), group=torch.arange(5))
    after = augmented(before, shift=0.2, rotate_degrees=20.0, flip=0.5, crop=0.4)
    place_BN2 = centres(after.fields["placed"], 24)
    inside_BN = (place_BN2.abs() < 1 - 1 / 12).all(dim=2)
    seen_BN2 = after.image_BCHW.flatten(2).transpose(1, 2)
    assert inside_BN.float().mean() > 0.4
    torch.testing.assert_close(seen_BN2[inside_BN], place_BN2[inside_BN], atol=1e-5, rtol=0)
    coarse_BN2 = centres(after.fields["placed"], 12)
    inside_BN = (coarse_BN2.abs() < 1 - 1 / 12).all(dim=2)
    map_BN2 = after.fields["classmap"].flatten(2).transpose(1, 2)
    torch.testing.assert_close(map_BN2[inside_BN], coarse_BN2[inside_BN], atol=1e-5, rtol=0)
    assert torch.equal(after.fields["group"], torch.arange(5))


def test_augmentation_is_what_it_was_before_it_said_where() -> None:
    """Figures of an earlier version; and with nobody to tell, no field."""
    image_BCHW = torch.arange(48.0).reshape(3, 1, 4, 4) / 48
    knobs = {"shift": 0.2, "rotate_degrees": 20.0, "flip": 0.5, "crop": 0.5}
    (transform,) = augment.apply(plan(), **knobs).transforms
    after = transform(Batch(image_BCHW=image_BCHW, target_BK=torch.eye(3)), generator(5))
    torch.testing.assert_close(after.image_BCHW.sum(dim=(1, 2, 3)), torch.tensor([1.730847, 6.765127, 11.003951]))
    assert after.fields == {}
    asked = transform(
        Batch(image_BCHW=image_BCHW, target_BK=torch.eye(3), fields={"placed": everywhere(3, torch.device("cpu"))}),
        generator(5),
    )
    assert torch.equal(asked.image_BCHW, after.image_BCHW)


def test_what_moves_images_without_saying_where_is_refused() -> None:
    with pytest.raises(PlaceError, match=r"recipe\.augment\.operations does not say .* the field placed .*; use 0"):
        augmented(batch(placed=everywhere(5, torch.device("cpu"))), operations=1)
    with pytest.raises(ValueError, match="whose placed cannot be mixed"):
        mixup.apply(plan(), alpha=0.2).transforms[0](batch(placed=everywhere(5, torch.device("cpu"))), generator())
    grey = replace(batch(group=torch.arange(5)), image_BCHW=torch.rand(5, 1, 8, 8))
    assert augmented(grey, operations=1, shift=0.1).fields.keys() == {"group"}


class _Reading(torch.nn.Module):
    """Notes where its batches were cut."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network
        self.seen: list[torch.Tensor] = []

    def forward(self, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        self.seen.append(batch.fields["placed"])
        return supervised.objective(self.network)(batch, generator)


def epoch(training: Plan, reading: _Reading, needs: tuple[str, ...]) -> float:
    training = replace(training, objective=reading, optimizer=torch.optim.SGD(reading.parameters(), lr=0.0), images=64)
    common: dict[str, Any] = {"world": World(), "device": torch.device("cpu"), "epoch": 1, "number": 1, "seed": 0}
    return train_epoch(training, reading, Loader(few_labels().train), labels=True, needs=needs, **common)


def test_the_trainer_writes_the_field_where_it_is_read() -> None:
    plain = plan()
    reading = _Reading(plain.built())
    epoch(plain, reading, ("placed",))
    assert all(torch.equal(seen, everywhere(len(seen), seen.device)) for seen in reading.seen)
    reading.seen.clear()
    epoch(augment.apply(plain, shift=0.2), reading, ("placed",))
    assert all(seen[:, :, 2].abs().max() > 0 for seen in reading.seen)
    cutting = replace(plain, square=lambda image, side: np.zeros((1, side, side), dtype=np.uint8))
    with pytest.raises(PlaceError, match=r"recipe\.photo_augment does not say"):
        epoch(cutting, reading, ("placed",))


def test_what_is_no_map_and_no_place_is_carried_along() -> None:
    box = torch.rand(5, 4)
    assert carried({"box": box}, everywhere(5, box.device))["box"] is box


def test_fields_that_are_not_as_the_vocabulary_says_are_named() -> None:
    fits = {
        "group": np.arange(3), "caption": np.zeros((3, 2, 7), dtype=np.uint16),
        "pair": np.zeros((3, 1, 8, 8), dtype=np.uint8), "between": np.zeros((3, 2, 3), dtype=np.float32),
    }  # fmt: skip
    assert list(misfits(fits, 3, 1)) == []
    wrong = {"group": np.zeros(3), "pair": np.zeros((3, 2, 8, 8), dtype=np.uint8), "placed": np.zeros((3, 2, 3))}
    assert [clause.partition(" ")[0] for clause in misfits({**wrong, "hue": np.zeros(3)}, 3, 1)] == [
        "'group'", "'pair'", "'placed'", "'hue'"
    ]  # fmt: skip
    assert "it is to be uint8 (3, 1, H, W)" in list(misfits(wrong, 3, 1))[1]


@pytest.mark.parametrize("name", VOCABULARY)
def test_a_field_says_what_it_is(name: str) -> None:
    field = VOCABULARY[name]
    assert np.dtype(field.dtype)
    assert field.meaning
    assert not field.spatial or field.shape[-2:] == ("h", "w")

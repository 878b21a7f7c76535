from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from spaces.candidate import Candidate
from tests.trainables.small import OPTIMIZER, few_labels, pretrained, residual
from trainables.final.soup import best_soup, learned, mixed, start_of
from trainables.splits import Images

IMAGES = Images(
    image_NCHW=np.random.default_rng(0).integers(0, 256, (600, 1, 6, 6), dtype=np.uint8),
    label_N=np.zeros(600, dtype=np.int64),
)


def network(seed: int, channels: int = 1, side: int = 6) -> nn.Module:
    torch.manual_seed(seed)
    convolution, head = nn.Conv2d(channels, 4, 3), nn.Linear(4 * (side - 2) ** 2, 3)
    layers = nn.Sequential(convolution, nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), head)
    with torch.no_grad():
        layers(torch.rand(8, channels, side, side))
    return layers.eval()


class Scalar(nn.Module):
    """One weight, so that a soup's score can be computed by hand."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))


def near(target: float):
    return lambda scalar: -abs(scalar.value.item() - target)


def test_weights_are_the_mean_and_statistics_those_of_the_images() -> None:
    parts = [network(seed) for seed in range(3)]
    soup = mixed(parts, IMAGES)
    for name, value in soup.named_parameters():
        expected = torch.stack([dict(part.named_parameters())[name] for part in parts]).mean(0)
        torch.testing.assert_close(value, expected)
    assert not soup.training
    features = soup[0](IMAGES.batch(np.arange(512))[0])  # the two whole batches; the third has another size
    means = [part.mean((0, 2, 3)) for part in features.split(256)] + [
        soup[0](IMAGES.batch(np.arange(512, 600))[0]).mean((0, 2, 3))
    ]
    torch.testing.assert_close(soup[1].running_mean, torch.stack(means).mean(0), atol=1e-5, rtol=1e-5)
    assert not torch.equal(parts[0][1].running_mean, soup[1].running_mean)


@pytest.mark.parametrize("mix", [mixed, lambda parts, images: learned(parts, images, images)])
def test_norms_that_rested_in_training_keep_their_statistics(mix) -> None:
    """Of parts with frozen first layers: what follows was trained behind these statistics."""
    parts = []
    for seed in range(3):
        torch.manual_seed(0)
        frozen = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
        frozen[1].running_mean += 0.3
        frozen[1].num_batches_tracked += 7
        parts.append(nn.Sequential(frozen, nn.ReLU(), network(seed, channels=4, side=4)).eval())
    soup = mix(parts, IMAGES)
    for name, value in parts[0][0].state_dict().items():
        torch.testing.assert_close(soup[0].state_dict()[name], value, msg=name)
    norm = soup[-1][1]
    assert all(not torch.equal(norm.running_mean, part[-1][1].running_mean) for part in parts)
    assert norm.momentum == 0.1
    assert not any(module.training for module in soup.modules())
    features = torch.cat([soup[:2](image_BCHW) for image_BCHW in IMAGES.batches(600)])
    expected = soup[-1][0](features).mean((0, 2, 3))
    torch.testing.assert_close(norm.running_mean, expected, atol=2e-2, rtol=0.1)


def test_one_network_is_its_own_soup() -> None:
    one = network(0)
    assert mixed([one], IMAGES) is one
    assert best_soup([one], "greedy", IMAGES, lambda _: 0.5, IMAGES) == (one, [0])
    with pytest.raises(ValueError, match="at least one"):
        mixed([], IMAGES)


def test_greedy_leaves_out_what_makes_it_worse() -> None:
    parts = [Scalar(0.0), Scalar(10.0), Scalar(2.0)]
    soup, chosen = best_soup(parts, "greedy", IMAGES, near(1.1), IMAGES)
    assert chosen == [2, 0]
    assert soup.value.item() == pytest.approx(1.0)
    soup, chosen = best_soup(parts, "uniform", IMAGES, near(3.9), IMAGES)
    assert sorted(chosen) == [0, 1, 2]
    assert soup.value.item() == pytest.approx(4.0)


@pytest.mark.parametrize("kind", ["uniform", "greedy"])
def test_a_soup_that_is_no_better_is_not_kept(kind) -> None:
    parts = [Scalar(0.0), Scalar(10.0)]
    assert best_soup(parts, kind, IMAGES, near(0.1), IMAGES) == (parts[0], [0])
    assert best_soup(parts, kind, IMAGES, lambda _: 0.5, IMAGES) == (parts[0], [0])


def test_a_learned_soup_begins_as_the_uniform_one_and_gives_the_better_part_more() -> None:
    parts = [network(0), network(1)]
    label_N = parts[0](IMAGES.batch(np.arange(600))[0]).argmax(1).numpy()  # the first is always right
    held_out = replace(IMAGES, label_N=label_N)
    uniform, begun = mixed(parts, IMAGES), learned(parts, IMAGES, held_out, learning_rate=0.0)
    for name, value in uniform.state_dict().items():
        torch.testing.assert_close(begun.state_dict()[name], value)
    soup = learned(parts, IMAGES, held_out)
    own, other = (part.get_parameter("4.weight") for part in parts)
    share = ((soup.get_parameter("4.weight") - other) / (own - other)).detach()
    torch.testing.assert_close(share, share.mean().expand_as(share))
    assert share.mean() > 0.8
    assert not soup.training
    assert torch.equal(learned(parts, IMAGES, held_out).get_parameter("0.weight"), soup.get_parameter("0.weight"))


def test_trainings_begin_alike_if_pretraining_and_network_are_the_same() -> None:
    splits, one = few_labels(), pretrained("simclr")
    own = start_of(one, 4, splits)
    assert own is not None
    assert start_of(replace(one, recipe={**OPTIMIZER, "label_smoothing.rate": 0.1}), 4, splits) == own
    others = (
        replace(one, pretraining={**one.pretraining, "batch.size": 16}),
        replace(one, architecture={**one.architecture, "kernel.0": 5}),
        replace(one, recipe={**OPTIMIZER, "preprocess.normalise": "none"}),
        pretrained("swav"),
    )
    assert own not in {start_of(other, 4, splits) for other in others}
    assert start_of(one, 8, splits) != own
    assert start_of(residual(OPTIMIZER), 4, splits) is None


def test_trainings_begin_alike_if_they_have_the_same_weights_from_elsewhere() -> None:
    architecture = {"model": "resnet18", "weights": "default", "resolution": 32}
    one = Candidate(backbone="timm_model", objective="supervised", architecture=architecture, recipe=OPTIMIZER)
    other = replace(one, recipe={**OPTIMIZER, "batch.size": 8})
    assert start_of(one, 4, few_labels()) == start_of(other, 4, few_labels()) is not None
    assert start_of(replace(one, architecture={**architecture, "resolution": 64}), 4, few_labels()) != start_of(
        one, 4, few_labels()
    )
    assert start_of(replace(one, architecture={**architecture, "weights": "none"}), 4, few_labels()) is None

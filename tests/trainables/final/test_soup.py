import numpy as np
import pytest
import torch
from torch import nn

from trainables.final.soup import best_soup, mixed
from trainables.splits import Images

IMAGES = Images(
    image_NCHW=np.random.default_rng(0).integers(0, 256, (600, 1, 6, 6), dtype=np.uint8),
    label_N=np.zeros(600, dtype=np.int64),
)


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    layers = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    with torch.no_grad():
        layers(torch.rand(8, 1, 6, 6))
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


def test_one_network_is_its_own_soup() -> None:
    one = network(0)
    assert mixed([one], IMAGES) is one
    assert best_soup([one], "greedy", IMAGES, lambda _: 0.5) == (one, [0])
    with pytest.raises(ValueError, match="at least one"):
        mixed([], IMAGES)


def test_greedy_leaves_out_what_makes_it_worse() -> None:
    parts = [Scalar(0.0), Scalar(10.0), Scalar(2.0)]
    soup, chosen = best_soup(parts, "greedy", IMAGES, near(1.1))
    assert chosen == [2, 0]
    assert soup.value.item() == pytest.approx(1.0)
    soup, chosen = best_soup(parts, "uniform", IMAGES, near(3.9))
    assert sorted(chosen) == [0, 1, 2]
    assert soup.value.item() == pytest.approx(4.0)


@pytest.mark.parametrize("kind", ["uniform", "greedy"])
def test_a_soup_that_is_no_better_is_not_kept(kind) -> None:
    parts = [Scalar(0.0), Scalar(10.0)]
    assert best_soup(parts, kind, IMAGES, near(0.1)) == (parts[0], [0])
    assert best_soup(parts, kind, IMAGES, lambda _: 0.5) == (parts[0], [0])
